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
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;

  static void Plain(int64_t tokens, int64_t channels,
                    const BasicConstTokens<Scalar>& x,
                    const BasicNormWeights<Scalar>& norm,
                    const BasicTokens<Scalar>& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const Scalar* const from = x.data + t * x.stride;
      Normalise(channels, from, Sum(channels, from), norm,
                y.data + t * y.stride, [](int64_t, auto, Vec z) { return z; });
    }
  }

  static void Modulated(int64_t tokens, int64_t channels,
                        const BasicConstTokens<Scalar>& x,
                        const BasicConstTokens<Scalar>& multiplier,
                        const Scalar* scale,
                        const BasicNormWeights<Scalar>& norm,
                        const BasicTokens<Scalar>& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const Scalar* const from = x.data + t * x.stride;
      const Scalar* const by = multiplier.data + t * multiplier.stride;
      Scalar* const to = y.data + t * y.stride;
      Vec sum = Simd::Set(Scalar{0});
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

  static void Gated(int64_t tokens, int64_t channels,
                    const BasicConstTokens<Scalar>& x,
                    const BasicConstTokens<Scalar>& gate,
                    const BasicNormWeights<Scalar>& norm,
                    const BasicTokens<Scalar>& y) {
    for (int64_t t = 0; t < tokens; ++t) {
      const Scalar* const from = x.data + t * x.stride;
      const Scalar* const by = gate.data + t * gate.stride;
      Normalise(channels, from, Sum(channels, from), norm,
                y.data + t * y.stride, [by](int64_t c, auto lanes, Vec z) {
                  return z * SimdMath<Simd>::Silu(lanes.Load(by + c));
                });
    }
  }

  static Scalar Sum(int64_t channels, const Scalar* x) {
    Vec sum = Simd::Set(Scalar{0});
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      sum = sum + lanes.Load(x + c);
    });
    return Simd::Sum(sum);
  }

  // Of one token's channels.
  struct Moments {
    Vec mean;
    Vec inverse;  // 1 / sqrt(variance + epsilon)
  };
  [[gnu::always_inline]] static Moments MomentsOf(int64_t channels,
                                                  const Scalar* x, Scalar sum,
                                                  Scalar epsilon) {
    const Scalar count = static_cast<Scalar>(channels);
    const Vec mean = Simd::Set(sum / count);
    Vec squares = Simd::Set(Scalar{0});
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      const Vec centred = lanes.Only(lanes.Load(x + c) - mean);
      squares = Simd::MulAdd(centred, centred, squares);
    });
    const Scalar variance = Simd::Sum(squares) / count;
    return {mean, Simd::Set(1 / Root(variance + epsilon))};
  }

  [[gnu::always_inline]] static Scalar Root(Scalar x) {
    if constexpr (sizeof(Scalar) == sizeof(float)) {
      return __builtin_sqrtf(x);
    } else {
      return __builtin_sqrt(x);
    }
  }

  // y = finish(channel, lanes, the normalised x) of one token.
  template <class Finish>
  [[gnu::always_inline]] static void Normalise(
      int64_t channels, const Scalar* x, Scalar sum,
      const BasicNormWeights<Scalar>& norm, Scalar* y, Finish finish) {
    const Moments moments = MomentsOf(channels, x, sum, norm.epsilon);
    const Scalar* const weight = norm.weight;
    const Scalar* const bias = norm.bias;
    ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
      const Vec unit = (lanes.Load(x + c) - moments.mean) * moments.inverse;
      const Vec scaled =
          Simd::MulAdd(unit, lanes.Load(weight + c), lanes.Load(bias + c));
      lanes.Store(y + c, finish(c, lanes, scaled));
    });
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_NORM_H_
