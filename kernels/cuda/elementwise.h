// The element-wise kernels around the SS2D core and LibTorch's products, on a
// GPU. Device memory, aligned to 16 bytes; activations in the storage named,
// all parameters and arithmetic in fp32. Each call is one launch.
//
// Rows of channels may be padded: [row][group][padded], with `width` true
// channels a group, the rest zero; norms count the true ones. Parameters are
// padded the same way, with zeros, and so outputs' padding is zero.
//
// Each answer is the same to the bit however large the batch.
//
// Thread-safety: any thread.

#ifndef GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_H_
#define GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_H_

#include <cstdint>

#include "kernels/cuda/launch.h"

namespace groupmamba::cuda {

struct ChannelLayout {
  int groups = 1;
  int width = 0;   // true channels of a group
  int padded = 0;  // stored ones: a multiple of 8, at least width
  int row() const { return groups * padded; }  // at most 1024
};

// How a launch is cut; blocks 0: the shape is not supported.
struct Grid {
  int blocks = 0;
  int threads = 0;
};

// ---- pictures

// out = from * scale[c] + shift[c] for value number i of channel c = i mod 3:
// interleaved RGB becomes channels-last planes of normalised values. `count`
// values, a multiple of 3.
struct NormaliseArguments {
  int64_t count = 0;
  float scale[3] = {};  // 1 / (255 std)
  float shift[3] = {};  // -mean / std
  const uint8_t* from = nullptr;
  void* out = nullptr;
};
Grid PlanNormalise(const NormaliseArguments& arguments);
LaunchError LaunchNormalise(const NormaliseArguments& arguments,
                            Storage storage, CUstream_st* stream);

// ---- norms

// out = layer_norm(x + shift), by row.
struct LayerNormArguments {
  int batch = 0;
  int tokens = 0;
  ChannelLayout layout;
  float epsilon = 0;
  const void* x = nullptr;        // [batch][token][layout]
  const float* shift = nullptr;   // [layout]; null: zeros
  const float* weight = nullptr;  // [layout]
  const float* bias = nullptr;    // [layout]
  void* out = nullptr;            // [batch][token][layout]
  // Sums of `out`, before it is rounded, over the tokens of each of
  // LayerNormParts(tokens) parts: [batch][part][layout]. Null: not wanted.
  float* sums = nullptr;
};
int LayerNormParts(int tokens);
Grid PlanLayerNorm(const LayerNormArguments& arguments);
LaunchError LaunchLayerNorm(const LayerNormArguments& arguments,
                            Storage storage, CUstream_st* stream);

// out = layer_norm(y * x * scale): what the groups made, gated by their input
// and weighed by channel (model/released_block.cc). `y` is planar by group, as
// the SS2D core leaves it; the output has the groups side by side.
struct GatedNormArguments {
  int64_t batch = 0;
  int64_t tokens = 0;
  ChannelLayout layout;
  float epsilon = 0;
  const void* y = nullptr;        // [group][batch][token][padded]
  const void* x = nullptr;        // [batch][token][layout]; null: ones
  const float* scale = nullptr;   // [batch][layout]; null: ones
  const float* weight = nullptr;  // [layout]; null: no norm, the product itself
  const float* bias = nullptr;    // [layout]
  void* out = nullptr;            // [batch][token][layout]
};

// With at least `min_blocks` blocks where the rows suffice.
Grid PlanRows(int64_t rows, const ChannelLayout& layout, int min_blocks = 1);
LaunchError LaunchGatedNorm(const GatedNormArguments& arguments,
                            Storage storage, CUstream_st* stream);

// ---- feed-forward

// out = gelu(depthwise3x3(x)): stride 1, zero padding 1, the exact gelu.
struct DepthwiseGeluArguments {
  int batch = 0;
  int height = 0;
  int width = 0;
  int channels = 0;               // a multiple of 8
  const void* x = nullptr;        // [batch][row][column][channel]
  const float* weight = nullptr;  // [tap][channel], tap = row * 3 + column
  const float* bias = nullptr;    // [channel]
  void* out = nullptr;            // as x
};

// A block computes a tile of rows x columns x 16-byte vectors of channels.
struct DepthwisePlan {
  int rows = 0;
  int columns = 0;
  int vectors = 0;
  Grid grid;
};
DepthwisePlan PlanDepthwise(const DepthwiseGeluArguments& arguments,
                            Storage storage, int min_blocks = 1);
LaunchError LaunchDepthwiseGelu(const DepthwiseGeluArguments& arguments,
                                const DepthwisePlan& plan, Storage storage,
                                CUstream_st* stream);

// ---- summaries

// out = the mean of x over the tokens: the class token.
struct TokenMeanArguments {
  int batch = 0;
  int tokens = 0;
  int channels = 0;         // a multiple of 8
  const void* x = nullptr;  // [batch][token][channel]
  float* out = nullptr;     // [batch][channel], fp32
};
Grid PlanTokenMean(const TokenMeanArguments& arguments, Storage storage);
LaunchError LaunchTokenMean(const TokenMeanArguments& arguments,
                            Storage storage, CUstream_st* stream);

// out = sigmoid(W2 relu(W1 m + b1) + b2) for the mean m over a picture's tokens
// (ChannelAffinity of model/layers.h). Where W1's columns and `sums` are padded
// with zeros, so may be W2 and b2: what comes out there has no meaning.
struct AffinityArguments {
  int batch = 0;
  int parts = 0;
  int tokens = 0;
  int channels = 0;                // a multiple of 8, at most 1024
  int hidden = 0;                  // at most 1024
  const float* sums = nullptr;     // [batch][part][channel]: m tokens, in parts
  const float* weight1 = nullptr;  // [hidden][channel]
  const float* bias1 = nullptr;    // [hidden]
  const float* weight2 = nullptr;  // [hidden][channel]
  const float* bias2 = nullptr;    // [channel]
  float* out = nullptr;            // [batch][channel]
};
struct AffinityPlan {
  Grid grid;
  int shared_bytes = 0;
};
AffinityPlan PlanAffinity(const AffinityArguments& arguments);
LaunchError LaunchAffinity(const AffinityArguments& arguments,
                           CUstream_st* stream);

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_H_
