// The layers that both block forms are made of, with their weights packed for
// the processor's kernels. Immutable after loading; Forward may run on several
// threads at once, each with memory of its own.
//
// Tokens are [tokens, channels], channels adjacent, row-major over the grid.

#ifndef GROUPMAMBA_MODEL_CPU_LAYERS_H_
#define GROUPMAMBA_MODEL_CPU_LAYERS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"
#include "kernels/selective_scan.h"
#include "kernels/token_kernels.h"
#include "model/cpu/lane.h"

namespace groupmamba::cpu {

// Picks the parameters of one module out of a state dict that has been checked
// against the manifest; a missing name is a broken invariant and aborts.
class WeightScope {
 public:
  using Map = std::map<std::string, absl::Span<const float>>;

  // `weights` must outlive the scope. `prefix` is empty or a module's name.
  WeightScope(const Map& weights, kernels::Isa isa, kernels::Storage storage,
              std::string prefix = "")
      : weights_(weights),
        isa_(isa),
        storage_(storage),
        prefix_(std::move(prefix)) {}

  // The module below this one.
  WeightScope operator/(absl::string_view module) const;
  absl::Span<const float> Get(absl::string_view parameter) const;
  kernels::Isa isa() const { return isa_; }
  // Of matrices; those that decide the scan's steps and the logits stay fp32.
  kernels::Storage storage() const { return storage_; }
  const std::string& prefix() const { return prefix_; }

 private:
  const Map& weights_;
  kernels::Isa isa_;
  kernels::Storage storage_;
  std::string prefix_;
};

struct Grid {
  int64_t height = 0;
  int64_t width = 0;
  int64_t tokens() const { return height * width; }
};

// Calls body(first, count, scratch) for pieces of the tokens, several a thread.
template <typename Body>
void ForPieces(Lane& lane, int64_t tokens, Body body) {
  constexpr int64_t kMost = 128;
  const int64_t share =
      (tokens + 2 * lane.threads() - 1) / (2 * lane.threads());
  const int64_t size = lane.threads() == 1 ? kMost : std::min(kMost, share);
  lane.For((tokens + size - 1) / size, [&](int64_t piece, Scratch& scratch) {
    const int64_t first = piece * size;
    body(first, std::min(size, tokens - first), scratch);
  });
}

struct Norm {
  Norm(const WeightScope& scope, double epsilon);
  kernels::NormWeights weights() const;

  std::vector<float> weight;
  std::vector<float> bias;
  float epsilon;
};

// A matrix with its bias: `<scope>.weight` [n, k], `<scope>.bias` [n].
kernels::PackedMatrix PackLinear(const WeightScope& scope);

// A convolution [out, in, side, side] as a matrix whose k runs over the
// window's rows, columns and channels, as the window lies in a channel-last
// picture.
kernels::PackedMatrix PackConvolution(kernels::Isa isa,
                                      kernels::Storage storage,
                                      absl::Span<const float> weight,
                                      absl::Span<const float> bias,
                                      int64_t side);

// A depthwise 3x3 convolution for kernels::DepthwiseConv, a slice of the
// channels at a time.
struct Depthwise {
  // Pads the channels with zeros to `width`, and cuts them into slices of
  // `slice` channels; the last may have fewer.
  Depthwise(const WeightScope& scope, int64_t width, int64_t slice);

  std::vector<float> weight;  // [9, slice] of a slice, slice after slice
  std::vector<float> bias;    // [width]
};

// The mean over the tokens of x [tokens, channels]; in activations().sums.
const float* MeanOverTokens(kernels::Isa isa, const float* x, int64_t tokens,
                            int64_t channels, Lane& lane);

// Weighs channels by a summary of the picture:
// sigmoid(W2 relu(W1 mean(x))), the mean over tokens.
class Affinity {
 public:
  // `factor` scales the result.
  Affinity(const WeightScope& scope, float factor);

  // scale: [channels].
  void Forward(const float* x, int64_t tokens, Lane& lane, float* scale) const;

 private:
  int64_t channels_;
  int64_t hidden_;
  kernels::Isa isa_;
  std::vector<float> weight1_, bias1_, weight2_, bias2_;
  const float factor_;
};

// out = x + fc2(gelu(fc1(x))), with a depthwise convolution before the gelu or
// without. The hidden values exist a slice at a time and never leave the cache.
class FeedForward {
 public:
  // Has the convolution where `depthwise`.
  FeedForward(const WeightScope& scope, bool depthwise);

  // x, residual and out: `x_stride` and `out_stride` floats a token; residual
  // has out's stride and may be out.
  void Forward(const float* x, int64_t x_stride, Grid grid, Lane& lane,
               const float* residual, float* out, int64_t out_stride) const;
  // The same on one thread.
  void Forward(const float* x, int64_t x_stride, Grid grid, Scratch& scratch,
               const float* residual, float* out, int64_t out_stride) const;

 private:
  struct Job;
  struct Band;
  void ForwardInSlices(const Job& job, Lane& lane) const;
  void ForwardRows(const Job& job, int64_t begin, int64_t end,
                   Scratch& scratch) const;
  void ForwardBand(const Job& job, const Band& band, Scratch& scratch) const;
  // The activated hidden values [tokens, slice's width] of the band.
  void Activate(const Job& job, const Band& band, int64_t slice,
                Scratch& scratch, float* activated) const;
  // Where the slice's two last hidden rows wait for the next band.
  float* CarriedRows(int64_t width, int64_t slice, Scratch& scratch) const;
  int64_t SliceWidth(int64_t slice) const;

  kernels::PackedMatrix fc1_;
  std::optional<Depthwise> convolution_;
  kernels::PackedMatrix fc2_;
};

// The token mixer of one channel group: a gated selective scan over the picture
// in one direction. The formulas are in model/ss2d.h.
class Ss2d {
 public:
  Ss2d(const WeightScope& scope, kernels::Direction direction);

  // x, residual and out: [tokens, d], `*_stride` floats a token. residual may
  // be null; it has x's stride.
  void Forward(const float* x, int64_t x_stride, Grid grid, Scratch& scratch,
               const float* residual, float* out, int64_t out_stride) const;

  int64_t width() const { return width_; }

 private:
  int64_t width_;   // d
  int64_t padded_;  // d, rounded up to whole vectors
  int64_t rank_;    // R
  kernels::Direction direction_;
  kernels::PackedMatrix in_proj_;  // to u, then its gate, each padded
  Depthwise convolution_;
  kernels::PackedMatrix x_proj_;           // to r, b, c
  kernels::PackedMatrix dt_proj_;          // r to delta
  std::vector<float> a_, d_, delta_bias_;  // padded
  Norm out_norm_;
  kernels::PackedMatrix out_proj_;
};

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_LAYERS_H_
