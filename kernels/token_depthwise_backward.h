// The gradient of the 3x3 depthwise convolution with its activation over any of
// the SIMD wrappers: kernels/token_kernels.h says what it computes.
//
// A slice of the channels at a time, and in it row by row: a row of x is copied
// to where its tokens do not compete for the same cache lines, the sums of the
// row above it are computed again, the gradient by them follows, that by the
// weights, and that by one more row of x above.

#ifndef GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_BACKWARD_H_
#define GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_BACKWARD_H_

#include <cstdint>

#include "kernels/token_activation.h"
#include "kernels/token_depthwise.h"
#include "kernels/token_depthwise_gradient.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenDepthwiseBackward {
  using Vec = typename Simd::Vec;
  using Depthwise = TokenDepthwise<Simd>;
  using Plane = typename Depthwise::template Plane<float>;
  using ConstPlane = typename Depthwise::template Plane<const float>;

  static void Run(const DepthwiseShape& shape, Activation activation,
                  const DepthwiseGradients& job) {
    if (activation == Activation::kSilu) {
      RunWith<Activation::kSilu>(shape, job);
    } else {
      RunWith<Activation::kGelu>(shape, job);
    }
  }

  template <Activation kActivation>
  struct StoreSlope {
    template <class Lanes>
    void operator()(Lanes lanes, float* to, Vec sum) const {
      lanes.Store(to, ActivationSlope<Simd, kActivation>(sum));
    }
  };
  struct StoreSum {
    template <class Lanes>
    void operator()(Lanes lanes, float* to, Vec sum) const {
      lanes.Store(to, sum);
    }
  };

  template <Activation kActivation>
  static void RunWith(const DepthwiseShape& shape,
                      const DepthwiseGradients& job) {
    for (int64_t c = 0; c < shape.channels; c += kDepthwiseSlice) {
      const int64_t left = shape.channels - c;
      RunSlice<kActivation>(shape, job, c,
                            left < kDepthwiseSlice ? left : kDepthwiseSlice);
    }
  }

  // One slice: what lies where.
  struct Slice {
    const DepthwiseShape shape;  // with the slice's channels
    const int64_t weight_stride;
    const float* const weight;
    const float* const bias;
    float* const dw;
    const ConstTokens x;
    const ConstTokens dy;
    const Plane dx;
    // [token][kDepthwiseStride]
    const Plane copy;      // of x
    const Plane dsums;     // the gradient by the convolution's sums
    float* const flipped;  // [9][kDepthwiseSlice], then zeros [kDepthwiseSlice]
  };

  template <Activation kActivation>
  static void RunSlice(const DepthwiseShape& shape,
                       const DepthwiseGradients& job, int64_t channel,
                       int64_t channels) {
    float* const planes = job.scratch + 10 * kDepthwiseSlice;
    const int64_t row_step = shape.width * kDepthwiseStride;
    const Slice slice{
        .shape = {.rows = shape.rows,
                  .width = shape.width,
                  .channels = channels},
        .weight_stride = shape.channels,
        .weight = job.weight + channel,
        .bias = job.bias + channel,
        .dw = job.dw + channel,
        .x = {job.x.data + channel, job.x.stride},
        .dy = {job.dy.data + channel, job.dy.stride},
        .dx = {job.dx.data + channel, shape.width * job.dx.stride,
               job.dx.stride},
        .copy = {planes, row_step, kDepthwiseStride},
        .dsums = {planes + shape.rows * row_step, row_step, kDepthwiseStride},
        .flipped = job.scratch};
    Prepare(slice);
    const ConstPlane x = Const(slice.copy), dsums = Const(slice.dsums);
    CopyRow(slice, 0);
    for (int64_t row = 0; row < shape.rows; ++row) {
      if (row + 1 < shape.rows) CopyRow(slice, row + 1);
      Convolve(slice.shape, row,
               {x, slice.weight, slice.weight_stride, slice.bias, slice.dsums},
               StoreSlope<kActivation>{});
      MultiplyRow(slice, row);
      TokenDepthwiseGradient<Simd>::Add({row, row + 1, shape.rows, shape.width},
                                        channels, x, dsums, slice.dw,
                                        slice.weight_stride);
      if (row > 0) FinishRow(slice, row - 1);
    }
    FinishRow(slice, shape.rows - 1);
  }

  static void Prepare(const Slice& slice) {
    for (int64_t c = 0; c < slice.shape.channels; ++c) {
      for (int tap = 0; tap < 9; ++tap) {
        slice.flipped[tap * kDepthwiseSlice + c] =
            slice.weight[(8 - tap) * slice.weight_stride + c];
      }
      slice.flipped[9 * kDepthwiseSlice + c] = 0;
      for (int i = 0; i < 10; ++i) slice.dw[i * slice.weight_stride + c] = 0;
    }
  }

  static ConstPlane Const(const Plane& plane) {
    return {plane.data, plane.row_step, plane.column_step};
  }

  struct Convolution {
    const ConstPlane& x;
    const float* weight;
    int64_t weight_stride;
    const float* bias;
    const Plane& y;
  };

  // One row of the picture.
  template <class Finish>
  static void Convolve(const DepthwiseShape& shape, int64_t row,
                       const Convolution& of, Finish finish) {
    Depthwise::RunWith({.shape = {.rows = 1,
                                  .width = shape.width,
                                  .channels = shape.channels,
                                  .above = row > 0,
                                  .below = row + 1 < shape.rows},
                        .x = {of.x.data + row * of.x.row_step, of.x.row_step,
                              of.x.column_step},
                        .weight = of.weight,
                        .weight_stride = of.weight_stride,
                        .bias = of.bias,
                        .y = {of.y.data + row * of.y.row_step, of.y.row_step,
                              of.y.column_step}},
                       finish);
  }

  // The row of dx, when the rows around it have their gradients by the sums.
  static void FinishRow(const Slice& slice, int64_t row) {
    Convolve(slice.shape, row,
             {Const(slice.dsums), slice.flipped, kDepthwiseSlice,
              slice.flipped + 9 * kDepthwiseSlice, slice.dx},
             StoreSum{});
  }

  static void CopyRow(const Slice& slice, int64_t row) {
    ForEachOfRow(slice, row, slice.x, slice.copy,
                 [](auto lanes, const float* x, float* to) {
                   lanes.Store(to, lanes.Load(x));
                 });
  }

  static void MultiplyRow(const Slice& slice, int64_t row) {
    ForEachOfRow(slice, row, slice.dy, slice.dsums,
                 [](auto lanes, const float* dy, float* to) {
                   lanes.Store(to, lanes.Load(to) * lanes.Load(dy));
                 });
  }

  template <class Step>
  static void ForEachOfRow(const Slice& slice, int64_t row,
                           const ConstTokens& from, const Plane& plane,
                           Step step) {
    const int64_t width = slice.shape.width;
    for (int64_t t = row * width; t < (row + 1) * width; ++t) {
      const float* const x = from.data + t * from.stride;
      float* const to = plane.data + t * plane.column_step;
      ForEachVector<Simd>(slice.shape.channels, [&](int64_t c, auto lanes) {
        step(lanes, x + c, to + c);
      });
    }
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_BACKWARD_H_
