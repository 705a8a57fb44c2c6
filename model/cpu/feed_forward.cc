// The feed-forward, cut so that hidden values stay in the cache: the whole
// hidden tensor (6 MB for tiny's first stage) would go through memory twice.
//
// On one thread, and on several where the picture is large: a band of its rows
// after the other, and in each a slice of the hidden values after the other:
// fc1 of a slice, the convolution and the gelu, fc2 added to the band's sum.
// The convolution needs the rows above and below its band. The row below is
// computed with the band, and carried over, with the band's last row, to the
// next one; only where threads divide a picture are rows computed twice.
//
// On several threads where the picture is small: first every slice of the
// hidden values, one a piece of work, then every range of fc2's columns.
//
// Either way a sum runs over the slices in the same order.

#include <algorithm>
#include <cstring>

#include "model/cpu/layers.h"

namespace groupmamba::cpu {
namespace {

using kernels::MatmulStart;

// Hidden values a slice, and columns of fc2 a piece; multiples of every panel's
// width.
constexpr int64_t kSlice = 256;
constexpr int64_t kColumns = 64;

// Floats between the slices' tokens beyond their channels: at a distance of a
// power of two, a convolution's neighbours would share few places in the cache.
constexpr int64_t kGap = 16;

// Tokens that a band should have: a slice before and after activation, the sum
// and the weights then fit half a megabyte.
constexpr int64_t kBandTokens = 256;

// Up to here a picture is small: its hidden values fit the last-level cache,
// and a thread's few rows would have as many neighbours to compute again.
constexpr int64_t kSmallPicture = 512;

int64_t RowsPerBand(Grid grid) {
  return std::clamp<int64_t>(kBandTokens / grid.width, 1, grid.height);
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

// Rows [begin, end) of it, and which of their neighbours' hidden rows lie in
// the buffer: the row `top`, to the row before `bottom`. Rows before `fresh`
// were carried over.
struct FeedForward::Band {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t top = 0;
  int64_t fresh = 0;
  int64_t bottom = 0;
  bool carry_on = false;  // another band follows

  int64_t rows() const { return end - begin; }
};

FeedForward::FeedForward(const WeightScope& scope, bool depthwise)
    : fc1_(PackLinear(scope / "fc1")), fc2_(PackLinear(scope / "fc2")) {
  if (depthwise) {
    convolution_.emplace(scope / "dwconv.dwconv", fc1_.n(), kSlice);
  }
}

int64_t FeedForward::SliceWidth(int64_t slice) const {
  return std::min(kSlice, fc1_.n() - slice);
}

void FeedForward::Forward(const float* x, int64_t x_stride, Grid grid,
                          Lane& lane, const float* residual, float* out,
                          int64_t out_stride) const {
  const Job job = {x, x_stride, grid, residual, out, out_stride};
  if (lane.threads() == 1) {
    ForwardRows(job, 0, grid.height, lane.scratch());
  } else if (grid.tokens() <= kSmallPicture) {
    ForwardInSlices(job, lane);
  } else {
    const int64_t runs = std::min<int64_t>(lane.threads(), grid.height);
    lane.For(runs, [&](int64_t run, Scratch& scratch) {
      ForwardRows(job, grid.height * run / runs, grid.height * (run + 1) / runs,
                  scratch);
    });
  }
}

void FeedForward::Forward(const float* x, int64_t x_stride, Grid grid,
                          Scratch& scratch, const float* residual, float* out,
                          int64_t out_stride) const {
  ForwardRows({x, x_stride, grid, residual, out, out_stride}, 0, grid.height,
              scratch);
}

void FeedForward::ForwardInSlices(const Job& job, Lane& lane) const {
  const int64_t tokens = job.grid.tokens();
  const Band whole = {.end = job.grid.height, .bottom = job.grid.height};
  // [slice][tokens, slice's width]
  float* const hidden = lane.activations().hidden.Reserve(tokens * fc1_.n());
  lane.For((fc1_.n() + kSlice - 1) / kSlice,
           [&](int64_t index, Scratch& scratch) {
             const int64_t slice = index * kSlice;
             Activate(job, whole, slice, scratch, hidden + tokens * slice);
           });
  lane.For(
      (fc2_.n() + kColumns - 1) / kColumns, [&](int64_t index, Scratch& s) {
        const int64_t begin = index * kColumns;
        const int64_t columns = std::min(kColumns, fc2_.n() - begin);
        float* const sum = s.sum.Reserve(tokens * columns);
        for (int64_t slice = 0; slice < fc1_.n(); slice += kSlice) {
          Multiply({.data = hidden + tokens * slice,
                    .rows = tokens,
                    .stride = SliceWidth(slice)},
                   fc2_,
                   {.k_begin = slice,
                    .k_count = SliceWidth(slice),
                    .n_begin = begin,
                    .n_count = columns},
                   slice == 0 ? MatmulStart::kBias : MatmulStart::kContinue, {},
                   sum, columns);
        }
        kernels::Add(fc1_.isa(), tokens, columns, {sum, columns},
                     {job.residual + begin, job.out_stride},
                     {job.out + begin, job.out_stride});
      });
}

void FeedForward::ForwardRows(const Job& job, int64_t begin, int64_t end,
                              Scratch& scratch) const {
  const int64_t rows = RowsPerBand(job.grid);
  for (int64_t row = begin; row < end; row += rows) {
    Band band = {.begin = row, .end = std::min(row + rows, end)};
    band.top = band.begin;
    band.bottom = band.end;
    if (convolution_) {
      band.top = std::max<int64_t>(band.begin - 1, 0);
      band.bottom = std::min(band.end + 1, job.grid.height);
    }
    band.fresh = convolution_ && row > begin ? band.begin + 1 : band.top;
    band.carry_on = convolution_ && band.end < end;
    ForwardBand(job, band, scratch);
  }
}

void FeedForward::ForwardBand(const Job& job, const Band& band,
                              Scratch& scratch) const {
  const int64_t tokens = band.rows() * job.grid.width;
  float* const activated = scratch.activated.Reserve(tokens * kSlice);
  float* const sum = scratch.sum.Reserve(tokens * fc2_.n());
  for (int64_t slice = 0; slice < fc1_.n(); slice += kSlice) {
    Activate(job, band, slice, scratch, activated);
    Multiply({.data = activated, .rows = tokens, .stride = SliceWidth(slice)},
             fc2_, {.k_begin = slice, .k_count = SliceWidth(slice)},
             slice == 0 ? MatmulStart::kBias : MatmulStart::kContinue, {}, sum,
             fc2_.n());
  }
  const int64_t at = band.begin * job.grid.width * job.out_stride;
  kernels::Add(fc1_.isa(), tokens, fc2_.n(), {sum, fc2_.n()},
               {job.residual + at, job.out_stride},
               {job.out + at, job.out_stride});
}

float* FeedForward::CarriedRows(int64_t width, int64_t slice,
                                Scratch& scratch) const {
  const int64_t slices = (fc1_.n() + kSlice - 1) / kSlice;
  const int64_t of_slice = 2 * width * (kSlice + kGap);
  return scratch.carried.Reserve(slices * of_slice) + slice / kSlice * of_slice;
}

void FeedForward::Activate(const Job& job, const Band& band, int64_t slice,
                           Scratch& scratch, float* activated) const {
  const int64_t count = SliceWidth(slice);
  const int64_t width = job.grid.width;
  const int64_t stride = convolution_ ? count + kGap : count;
  const int64_t row = width * stride;  // floats
  // Without a convolution the activation works in place.
  float* const hidden =
      convolution_ ? scratch.hidden.Reserve((band.bottom - band.top) * row)
                   : activated;
  float* const carried =
      convolution_ ? CarriedRows(width, slice, scratch) : nullptr;
  if (band.fresh > band.top) {
    std::memcpy(hidden, carried, 2 * row * sizeof(float));
  }
  Multiply({.data = job.x + band.fresh * width * job.x_stride,
            .rows = (band.bottom - band.fresh) * width,
            .stride = job.x_stride},
           fc1_, {.n_begin = slice, .n_count = count}, MatmulStart::kBias, {},
           hidden + (band.fresh - band.top) * row, stride);
  if (!convolution_) {
    kernels::Activate(fc1_.isa(), kernels::Activation::kGelu, band.rows() * row,
                      hidden, activated);
    return;
  }
  if (band.carry_on) {
    std::memcpy(carried, hidden + (band.end - 1 - band.top) * row,
                2 * row * sizeof(float));
  }
  const bool above = band.top < band.begin;
  const bool below = band.bottom > band.end;
  kernels::DepthwiseConv(fc1_.isa(),
                         {.rows = band.rows(),
                          .width = width,
                          .channels = count,
                          .above = above,
                          .below = below},
                         kernels::Activation::kGelu,
                         {hidden + (band.begin - band.top) * row, stride},
                         convolution_->weight.data() + 9 * slice,
                         convolution_->bias.data() + slice, {activated, count});
}

}  // namespace groupmamba::cpu
