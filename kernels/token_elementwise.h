// Sums over tokens, activations, sums and products over any of the SIMD
// wrappers: kernels/token_kernels.h says what they compute.

#ifndef GROUPMAMBA_KERNELS_TOKEN_ELEMENTWISE_H_
#define GROUPMAMBA_KERNELS_TOKEN_ELEMENTWISE_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/token_activation.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenElementwise {
  using Vec = typename Simd::Vec;

  static void ColumnSums(int64_t tokens, int64_t channels, const ConstTokens& x,
                         float* sums) {
    ForEachBlock<Simd, 4>(
        channels, [&]<int kVectors, bool kPart>(int64_t channel, int part) {
          const VectorLanes<Simd, kPart> lanes{part};
          const float* row = x.data + channel;
          Vec sum[kVectors];
          for (int v = 0; v < kVectors; ++v) sum[v] = Simd::Set(0.0f);
          for (int64_t t = 0; t < tokens; ++t, row += x.stride) {
            for (int v = 0; v < kVectors; ++v) {
              sum[v] = sum[v] + lanes.Load(row + v * Simd::kLanes);
            }
          }
          for (int v = 0; v < kVectors; ++v) {
            lanes.Store(sums + channel + v * Simd::kLanes, sum[v]);
          }
        });
  }

  static void Activate(Activation activation, int64_t n, const float* x,
                       float* y) {
    if (activation == Activation::kSilu) {
      ActivateWith<Activation::kSilu>(n, x, y);
    } else {
      ActivateWith<Activation::kGelu>(n, x, y);
    }
  }

  static void ScaleChannels(int64_t tokens, int64_t channels,
                            const ConstTokens& x, const float* scale,
                            const Tokens& y) {
    const float* from = x.data;
    float* to = y.data;
    for (int64_t t = 0; t < tokens; ++t, from += x.stride, to += y.stride) {
      ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
        lanes.Store(to + c, lanes.Load(from + c) * lanes.Load(scale + c));
      });
    }
  }

  static void Add(int64_t tokens, int64_t channels, const ConstTokens& x,
                  const ConstTokens& z, const Tokens& y) {
    const float *a = x.data, *b = z.data;
    float* to = y.data;
    for (int64_t t = 0; t < tokens;
         ++t, a += x.stride, b += z.stride, to += y.stride) {
      ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
        lanes.Store(to + c, lanes.Load(a + c) + lanes.Load(b + c));
      });
    }
  }

  template <Activation kActivation>
  static void ActivateWith(int64_t n, const float* x, float* y) {
    ForEachVector<Simd>(n, [&](int64_t i, auto lanes) {
      lanes.Store(y + i, Activated<Simd, kActivation>(lanes.Load(x + i)));
    });
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_ELEMENTWISE_H_
