// The layer normalisations over any of the SIMD wrappers:
// kernels/token_kernels.h says what they compute.
//
// The variance is summed around the mean in a second pass: a token fits the
// first-level cache, and sums of squares would cancel.

#ifndef GROUPMAMBA_KERNELS_TOKEN_NORM_H_
#define GROUPMAMBA_KERNELS_TOKEN_NORM_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/simd_math.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenNorm {
  using Vec = typename Simd::Vec;

  static void Plain(int64_t tokens, int64_t channels, const ConstTokens& x,
                    const NormWeights& norm, const Tokens& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float* const from = x.data + t * x.stride;
      Normalise(channels, from, Sum(channels, from), norm,
                y.data + t * y.stride, [](int64_t, auto, Vec z) { return z; });
    }
  }

  static void Modulated(int64_t tokens, int64_t channels, const ConstTokens& x,
                        const ConstTokens& multiplier, const float* scale,
                        const NormWeights& norm, const Tokens& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float* const from = x.data + t * x.stride;
      const float* const by = multiplier.data + t * multiplier.stride;
      float* const to = y.data + t * y.stride;
      Vec sum = Simd::Set(0.0f);
      ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
        const Vec product =
            lanes.Load(from + c) * lanes.Load(by + c) * lanes.Load(scale + c);
        lanes.Store(to + c, product);
        sum = sum + product;
      });
      Normalise(channels, to, Simd::Sum(sum), norm, to,
                [](int64_t, auto, Vec z) { return z; });
    }
  }

  static void Gated(int64_t tokens, int64_t channels, const ConstTokens& x,
                    const ConstTokens& gate, const NormWeights& norm,
                    const Tokens& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float* const from = x.data + t * x.stride;
      const float* const by = gate.data + t * gate.stride;
      Normalise(channels, from, Sum(channels, from), norm,
                y.data + t * y.stride, [by](int64_t c, auto lanes, Vec z) {
                  return z * SimdMath<Simd>::Silu(lanes.Load(by + c));
                });
    }
  }

  static float Sum(int64_t channels, const float* x) {
    Vec sum = Simd::Set(0.0f);
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      sum = sum + lanes.Load(x + c);
    });
    return Simd::Sum(sum);
  }

  // y = finish(channel, lanes, the normalised x) of one token.
  template <class Finish>
  [[gnu::always_inline]] static void Normalise(int64_t channels, const float* x,
                                               float sum,
                                               const NormWeights& norm,
                                               float* y, Finish finish) {
    const float count = static_cast<float>(channels);
    const Vec mean = Simd::Set(sum / count);
    Vec squares = Simd::Set(0.0f);
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      const Vec centred = lanes.Only(lanes.Load(x + c) - mean);
      squares = Simd::MulAdd(centred, centred, squares);
    });
    const float variance = Simd::Sum(squares) / count;
    const Vec inverse =
        Simd::Set(1.0f / __builtin_sqrtf(variance + norm.epsilon));
    const float* const weight = norm.weight;
    const float* const bias = norm.bias;
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      const Vec unit = (lanes.Load(x + c) - mean) * inverse;
      const Vec scaled =
          Simd::MulAdd(unit, lanes.Load(weight + c), lanes.Load(bias + c));
      lanes.Store(y + c, finish(c, lanes, scaled));
    });
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_NORM_H_
