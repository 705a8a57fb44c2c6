// The feed-forward, band by band of the picture's rows and slice by slice of
// the hidden values: fc1 of a slice, the convolution and the gelu, fc2 added to
// the band's sum. A band's slice lies in the second-level cache, where the
// whole hidden tensor (6 MB for tiny's first stage) would go through memory
// twice. A convolution needs the row above and below its band, which fc1
// computes for both neighbours.

#include <algorithm>

#include "model/cpu/layers.h"

namespace groupmamba::cpu {
namespace {

using kernels::MatmulFinish;
using kernels::MatmulRows;
using kernels::MatmulStart;

// Hidden values a slice; a multiple of every panel's width.
constexpr int64_t kSlice = 128;

// Tokens that a band should have: with its halo, a slice before and after
// activation and the sum stay within half a megabyte.
constexpr int64_t kBandTokens = 256;

// Rows a band: as many as fit, but no fewer than divide the grid among the
// threads, and at least one.
int64_t RowsPerBand(Grid grid, int threads) {
  const int64_t bands = std::max<int64_t>(
      threads, (grid.tokens() + kBandTokens - 1) / kBandTokens);
  return std::max<int64_t>(1, (grid.height + bands - 1) / bands);
}

}  // namespace

// A whole picture.
struct FeedForward::Job {
  const float* x;
  int64_t x_stride;
  Grid grid;
  const float* residual;
  float* out;
  int64_t out_stride;
};

// Some rows of it.
struct FeedForward::Band {
  const float* x;  // its first row
  int64_t x_stride;
  int64_t rows;
  int64_t width;
  bool above;  // the picture has rows above
  bool below;
  const float* residual;
  float* out;
  int64_t out_stride;

  int64_t tokens() const { return rows * width; }
};

FeedForward::FeedForward(const WeightScope& scope, bool depthwise)
    : fc1_(PackLinear(scope / "fc1")), fc2_(PackLinear(scope / "fc2")) {
  if (depthwise)
    convolution_.emplace(scope / "dwconv.dwconv", fc1_.n(), kSlice);
}

void FeedForward::Forward(const float* x, int64_t x_stride, Grid grid,
                          Lane& lane, const float* residual, float* out,
                          int64_t out_stride) const {
  const Job job = {x, x_stride, grid, residual, out, out_stride};
  const int64_t rows = RowsPerBand(grid, lane.threads());
  lane.For((grid.height + rows - 1) / rows,
           [&](int64_t band, Scratch& scratch) {
             ForwardBand(job, band * rows, rows, scratch);
           });
}

void FeedForward::Forward(const float* x, int64_t x_stride, Grid grid,
                          Scratch& scratch, const float* residual, float* out,
                          int64_t out_stride) const {
  const Job job = {x, x_stride, grid, residual, out, out_stride};
  const int64_t rows = RowsPerBand(grid, /*threads=*/1);
  for (int64_t first = 0; first < grid.height; first += rows) {
    ForwardBand(job, first, rows, scratch);
  }
}

void FeedForward::ForwardBand(const Job& job, int64_t first, int64_t rows,
                              Scratch& scratch) const {
  const int64_t token = first * job.grid.width;
  ForwardBand({.x = job.x + token * job.x_stride,
               .x_stride = job.x_stride,
               .rows = std::min(rows, job.grid.height - first),
               .width = job.grid.width,
               .above = first > 0,
               .below = first + rows < job.grid.height,
               .residual = job.residual + token * job.out_stride,
               .out = job.out + token * job.out_stride,
               .out_stride = job.out_stride},
              scratch);
}

void FeedForward::ForwardBand(const Band& band, Scratch& scratch) const {
  float* const sum = scratch.sum.Reserve(band.tokens() * fc2_.n());
  for (int64_t slice = 0; slice < fc1_.n(); slice += kSlice) {
    const int64_t count = std::min(kSlice, fc1_.n() - slice);
    const float* const hidden = Activate(band, slice, count, scratch);
    Multiply({.data = hidden, .rows = band.tokens(), .stride = count}, fc2_,
             {.k_begin = slice, .k_count = count},
             slice == 0 ? MatmulStart::kBias : MatmulStart::kContinue, {}, sum,
             fc2_.n());
  }
  kernels::Add(fc1_.isa(), band.tokens(), fc2_.n(), {sum, fc2_.n()},
               {band.residual, band.out_stride}, {band.out, band.out_stride});
}

// The activated hidden values [tokens, count] of the slice.
const float* FeedForward::Activate(const Band& band, int64_t slice,
                                   int64_t count, Scratch& scratch) const {
  const bool above = convolution_ && band.above;
  const bool below = convolution_ && band.below;
  const int64_t halo = above ? band.width : 0;
  const int64_t tokens = halo + band.tokens() + (below ? band.width : 0);
  float* const hidden = scratch.hidden.Reserve(tokens * count);
  Multiply({.data = band.x - halo * band.x_stride,
            .rows = tokens,
            .stride = band.x_stride},
           fc1_, {.n_begin = slice, .n_count = count}, MatmulStart::kBias, {},
           hidden, count);
  if (!convolution_) {
    kernels::Activate(fc1_.isa(), kernels::Activation::kGelu, tokens * count,
                      hidden, hidden);
    return hidden;
  }
  float* const activated = scratch.activated.Reserve(band.tokens() * count);
  kernels::DepthwiseConv(fc1_.isa(),
                         {.rows = band.rows,
                          .width = band.width,
                          .channels = count,
                          .above = above,
                          .below = below},
                         kernels::Activation::kGelu,
                         {hidden + halo * count, count},
                         convolution_->weight.data() + 9 * slice,
                         convolution_->bias.data() + slice, {activated, count});
  return activated;
}

}  // namespace groupmamba::cpu
