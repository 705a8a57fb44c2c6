// GroupMamba on the processor, for serving: the same network as
// model/network.h composed of the kernels in kernels/, without LibTorch.
// Everything is fp32, but with Storage::kBf16 most products round their
// operands.
//
// A picture's logits have the same bits whatever the number of threads and
// whichever picture ran before or beside it: every sum runs in a fixed order.

#ifndef GROUPMAMBA_MODEL_CPU_NETWORK_H_
#define GROUPMAMBA_MODEL_CPU_NETWORK_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"
#include "model/block_spec.h"
#include "model/config.h"
#include "model/cpu/blocks.h"
#include "model/cpu/lane.h"
#include "model/cpu/layers.h"

namespace groupmamba::cpu {

// Thread-safety: Forward may run on several threads at once, each with a lane
// of its own.
class Network {
 public:
  // Packs copies of the weights; nothing of `weights` is kept. They must have
  // been checked against the configuration (model/weights.h).
  Network(const ModelConfig& config, const BlockSpec& spec,
          const WeightScope::Map& weights, kernels::Isa isa,
          kernels::Storage storage);

  // Writes row `row` of the picture, normalised: width * 3 floats, R, G, B by
  // pixel. Called once for every row, on the lane's threads.
  using ReadRow = absl::FunctionRef<void(int64_t row, float* to)>;

  // Sees each block's output [tokens, channels]; both counted from 0.
  using Trace =
      absl::FunctionRef<void(int stage, int block, Grid grid, const float* x)>;

  // size: from 32 x 32. logits: [classes], the mean of the heads.
  void Forward(Grid size, ReadRow read_row, Lane& lane, float* logits) const;
  void Forward(Grid size, ReadRow read_row, Lane& lane, float* logits,
               Trace trace) const;

 private:
  // A convolution and its bias, with the step between its windows.
  struct Convolution {
    kernels::PackedMatrix matrix;
    int64_t side;
    int64_t step;
    bool relu;
  };
  // A picture in the lane's memory with a border of zeros.
  struct Padded {
    float* data;
    Grid size;  // without the border
    int64_t border;
    int64_t channels;

    int64_t line() const { return (size.width + 2 * border) * channels; }
    float* row(int64_t row) const {
      return data + (row + border) * line() + border * channels;
    }
  };

  static Convolution LoadStem(const WeightScope& scope, int index, int step);
  static Convolution LoadDownsampling(const WeightScope& scope);
  static Padded MakePadded(Buffer& buffer, Grid size, int64_t border,
                           int64_t channels);
  static void Convolve(const Convolution& convolution, const Padded& in,
                       Grid out_size, float* out, int64_t out_line, Lane& lane);

  // Each leaves tokens in activations().tokens and returns their grid.
  Grid ForwardStem(Grid size, ReadRow read_row, Lane& lane) const;
  Grid Downsample(int stage, Grid grid, Lane& lane) const;
  // The downsampling's convolution and norm, from `in`.
  Grid Embed(int stage, const Padded& in, Lane& lane) const;

  kernels::Isa isa_;
  std::array<int64_t, kStages> widths_;
  std::vector<Convolution> stem_;
  std::vector<Convolution> embeddings_;  // before each stage
  std::vector<Norm> embedding_norms_;
  std::array<std::vector<std::unique_ptr<Block>>, kStages> stages_;
  std::vector<Norm> norms_;  // after each stage; the last one after the mean
  std::unique_ptr<ClassBlock> class_block_;  // the released form only
  std::optional<kernels::PackedMatrix> head_;
};

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_NETWORK_H_
