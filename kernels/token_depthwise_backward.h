// The gradient of the 3x3 depthwise convolution with its activation over any of
// the SIMD wrappers: kernels/token_kernels.h says what it computes.
//
// Row by row, so that every row of x and dy comes once from memory: the sums of
// a row are computed again, the gradient by them follows, that by the weights,
// and that by the row of x above.

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
    const int64_t channels = shape.channels;
    float* const flipped = job.scratch;
    float* const zeros = flipped + 9 * channels;
    float* const dsums = zeros + channels;
    for (int64_t c = 0; c < channels; ++c) {
      zeros[c] = 0;
      for (int tap = 0; tap < 9; ++tap) {
        flipped[tap * channels + c] = job.weight[(8 - tap) * channels + c];
      }
    }
    for (int64_t i = 0; i < 10 * channels; ++i) job.dw[i] = 0;
    const ConstPlane x{job.x.data, shape.width * job.x.stride, job.x.stride};
    const Plane dx{job.dx.data, shape.width * job.dx.stride, job.dx.stride};
    const Plane by_sums{dsums, shape.width * channels, channels};
    const ConstPlane from{dsums, by_sums.row_step, by_sums.column_step};
    for (int64_t row = 0; row < shape.rows; ++row) {
      Convolve(shape, row, {x, job.weight, job.bias, by_sums},
               StoreSlope<kActivation>{});
      MultiplyRow(shape, job.dy, row, dsums);
      TokenDepthwiseGradient<Simd>::Add({row, row + 1, shape.rows, shape.width},
                                        channels, x, from, job.dw, channels);
      if (row > 0)
        Convolve(shape, row - 1, {from, flipped, zeros, dx}, StoreSum{});
    }
    Convolve(shape, shape.rows - 1, {from, flipped, zeros, dx}, StoreSum{});
  }

  struct Convolution {
    const ConstPlane& x;
    const float* weight;
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
                        .weight_stride = shape.channels,
                        .bias = of.bias,
                        .y = {of.y.data + row * of.y.row_step, of.y.row_step,
                              of.y.column_step}},
                       finish);
  }

  static void MultiplyRow(const DepthwiseShape& shape, const ConstTokens& dy,
                          int64_t row, float* dsums) {
    for (int64_t t = row * shape.width; t < (row + 1) * shape.width; ++t) {
      const float* const by = dy.data + t * dy.stride;
      float* const to = dsums + t * shape.channels;
      ForEachVector<Simd>(shape.channels, [&](int64_t c, auto lanes) {
        lanes.Store(to + c, lanes.Load(to + c) * lanes.Load(by + c));
      });
    }
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_BACKWARD_H_
