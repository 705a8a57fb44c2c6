// The gradient of the gated layer normalisation over any of the SIMD wrappers.
//
// With unit = (x - mean) inverse, n = unit weight + bias and out = n silu(z):
//
//   dz      = dout n silu'(z)
//   dn      = dout silu(z);      dweight, dbias = sums of dn unit, dn
//   dunit   = dn weight
//   dx      = inverse (dunit - mean(dunit) - unit mean(dunit unit))

#ifndef GROUPMAMBA_KERNELS_TOKEN_NORM_BACKWARD_H_
#define GROUPMAMBA_KERNELS_TOKEN_NORM_BACKWARD_H_

#include <cstdint>

#include "kernels/channel_blocks.h"
#include "kernels/simd_math.h"
#include "kernels/token_norm.h"
#include "kernels/token_types.h"

namespace groupmamba::kernels {

template <class Simd>
struct TokenNormBackward {
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using ConstTokens = BasicConstTokens<Scalar>;
  using Tokens = BasicTokens<Scalar>;

  struct GatedGradients {
    Tokens dx;
    Tokens dgate;
    // [channel]; added to.
    Scalar* dweight;
    Scalar* dbias;
  };

  // dx may not be x.
  static void Gated(int64_t tokens, int64_t channels, const ConstTokens& x,
                    const ConstTokens& gate,
                    const BasicNormWeights<Scalar>& norm,
                    const ConstTokens& dout, const GatedGradients& to) {
    const Scalar count = static_cast<Scalar>(channels);
    for (int64_t t = 0; t < tokens; ++t) {
      const Scalar* const from = x.data + t * x.stride;
      const Scalar* const z = gate.data + t * gate.stride;
      const Scalar* const by = dout.data + t * dout.stride;
      Scalar* const dx = to.dx.data + t * to.dx.stride;
      Scalar* const dz = to.dgate.data + t * to.dgate.stride;
      const auto moments = TokenNorm<Simd>::MomentsOf(
          channels, from, TokenNorm<Simd>::Sum(channels, from), norm.epsilon);
      Vec sum = Simd::Set(Scalar{0});
      Vec products = Simd::Set(Scalar{0});
      ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
        const Vec unit =
            (lanes.Load(from + c) - moments.mean) * moments.inverse;
        const Vec weight = lanes.Load(norm.weight + c);
        const auto silu = SimdMath<Simd>::SiluAndSlope(lanes.Load(z + c));
        const Vec d = lanes.Load(by + c);
        const Vec normed =
            Simd::MulAdd(unit, weight, lanes.Load(norm.bias + c));
        lanes.Store(dz + c, d * normed * silu.slope);
        const Vec dn = d * silu.value;
        lanes.Store(to.dweight + c,
                    Simd::MulAdd(dn, unit, lanes.Load(to.dweight + c)));
        lanes.Store(to.dbias + c, lanes.Load(to.dbias + c) + dn);
        const Vec dunit = dn * weight;
        lanes.Store(dx + c, dunit);
        sum = sum + dunit;
        products = Simd::MulAdd(dunit, unit, products);
      });
      const Vec mean = Simd::Set(Simd::Sum(sum) / count);
      const Vec product = Simd::Set(Simd::Sum(products) / count);
      ForEachVector<Simd>(channels, [&](int64_t c, auto lanes) {
        const Vec unit =
            (lanes.Load(from + c) - moments.mean) * moments.inverse;
        lanes.Store(dx + c, moments.inverse *
                                (lanes.Load(dx + c) - mean - unit * product));
      });
    }
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_NORM_BACKWARD_H_
