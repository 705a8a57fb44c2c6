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

  // Some rows of a picture of `height`; the sums for them are added to
  // dw [10][stride]: nine taps and the bias, [channel] each.
  struct Rows {
    int64_t begin;
    int64_t end;
    int64_t height;
    int64_t width;
  };
  static void Add(const Rows& rows, int64_t channels, const Plane& x,
                  const Plane& dy, Scalar* dw, int64_t stride) {
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      Sums sums{x.row_step, x.column_step, {}};
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        const Scalar* const in = x.data + row * x.row_step + c;
        const Scalar* const by = dy.data + row * dy.row_step + c;
        const bool above = row > 0, below = row + 1 < rows.height;
        if (above && below) {
          AddRow<true, true>(lanes, rows.width, in, by, dy.column_step, sums);
        } else if (above) {
          AddRow<true, false>(lanes, rows.width, in, by, dy.column_step, sums);
        } else if (below) {
          AddRow<false, true>(lanes, rows.width, in, by, dy.column_step, sums);
        } else {
          AddRow<false, false>(lanes, rows.width, in, by, dy.column_step, sums);
        }
      }
      for (int i = 0; i < 10; ++i) {
        Scalar* const at = dw + i * stride + c;
        lanes.Store(at, lanes.Load(at) + sums.sum[i]);
      }
    });
  }

 private:
  struct Sums {
    const int64_t row_step;  // of x
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
