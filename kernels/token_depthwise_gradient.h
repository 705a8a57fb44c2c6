// The gradient of the 3x3 depthwise convolution by its weights, over any of the
// SIMD wrappers. (By its input it is the convolution with the taps in reverse.)
//
// One vector of channels at a time walks over the picture: nine sums and that
// of the bias stay in registers.

#ifndef GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_GRADIENT_H_
#define GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_GRADIENT_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/token_depthwise.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenDepthwiseGradient {
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using Plane = typename TokenDepthwise<Simd>::template Plane<const Scalar>;

  // dw [10][stride]: nine taps and the bias, [channel] each; overwritten.
  static void Run(int64_t height, int64_t width, int64_t channels,
                  const Plane& x, const Plane& dy, Scalar* dw, int64_t stride) {
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      Sums sums(x);
      for (int64_t row = 0; row < height; ++row) {
        const Scalar* const in = x.data + row * x.row_step + c;
        const Scalar* const by = dy.data + row * dy.row_step + c;
        if (row == 0 && height == 1) {
          AddRow<false, false>(lanes, width, in, by, dy.column_step, sums);
        } else if (row == 0) {
          AddRow<false, true>(lanes, width, in, by, dy.column_step, sums);
        } else if (row + 1 == height) {
          AddRow<true, false>(lanes, width, in, by, dy.column_step, sums);
        } else {
          AddRow<true, true>(lanes, width, in, by, dy.column_step, sums);
        }
      }
      for (int i = 0; i < 10; ++i) {
        lanes.Store(dw + i * stride + c, sums.sum[i]);
      }
    });
  }

 private:
  struct Sums {
    explicit Sums(const Plane& x)
        : row_step(x.row_step), column_step(x.column_step) {
      for (Vec& s : sum) s = Simd::Set(Scalar{0});
    }
    const int64_t row_step;
    const int64_t column_step;
    Vec sum[10];
  };

  template <bool kAbove, bool kBelow, class Lanes>
  [[gnu::always_inline]] static void AddRow(Lanes lanes, int64_t width,
                                            const Scalar* x, const Scalar* dy,
                                            int64_t dy_step, Sums& sums) {
    if (width == 1) {
      AddToken<kAbove, kBelow, false, false>(lanes, x, dy, sums);
      return;
    }
    AddToken<kAbove, kBelow, false, true>(lanes, x, dy, sums);
    for (int64_t column = 1; column + 1 < width; ++column) {
      AddToken<kAbove, kBelow, true, true>(lanes, x + column * sums.column_step,
                                           dy + column * dy_step, sums);
    }
    AddToken<kAbove, kBelow, true, false>(lanes,
                                          x + (width - 1) * sums.column_step,
                                          dy + (width - 1) * dy_step, sums);
  }

  template <bool kAbove, bool kBelow, bool kLeft, bool kRight, class Lanes>
  [[gnu::always_inline]] static void AddToken(Lanes lanes, const Scalar* x,
                                              const Scalar* dy, Sums& sums) {
    const Vec g = lanes.Load(dy);
    const auto add_taps = [&](const Scalar* in, Vec* sum) {
      if constexpr (kLeft) {
        sum[0] = Simd::MulAdd(g, lanes.Load(in - sums.column_step), sum[0]);
      }
      sum[1] = Simd::MulAdd(g, lanes.Load(in), sum[1]);
      if constexpr (kRight) {
        sum[2] = Simd::MulAdd(g, lanes.Load(in + sums.column_step), sum[2]);
      }
    };
    if constexpr (kAbove) add_taps(x - sums.row_step, sums.sum);
    add_taps(x, sums.sum + 3);
    if constexpr (kBelow) add_taps(x + sums.row_step, sums.sum + 6);
    sums.sum[9] = sums.sum[9] + g;
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_DEPTHWISE_GRADIENT_H_
