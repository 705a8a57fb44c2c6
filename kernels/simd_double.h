// Doubles in the portable vector, with the C library's exp and log1p: exact
// enough for derivatives by differences, and as slow as that.

#ifndef GROUPMAMBA_KERNELS_SIMD_DOUBLE_H_
#define GROUPMAMBA_KERNELS_SIMD_DOUBLE_H_

#include "kernels/simd_math.h"
#include "kernels/simd_portable.h"

namespace groupmamba::kernels {

using SimdDouble = BasicSimdPortable<double>;

template <>
struct SimdMath<SimdDouble> {
  using Vec = SimdDouble::Vec;

  static Vec ExpOfNegative(Vec x) {
    return Vec{__builtin_exp(x[0]), __builtin_exp(x[1])};
  }
  static Vec SoftplusGivenExp(Vec x, Vec exp_of_minus_abs) {
    return SimdDouble::Max(0, x) + Vec{__builtin_log1p(exp_of_minus_abs[0]),
                                       __builtin_log1p(exp_of_minus_abs[1])};
  }
  static Vec SigmoidGivenExp(Vec x, Vec exp_of_minus_abs) {
    return SimdDouble::IfNegative(x, exp_of_minus_abs, SimdDouble::Set(1)) /
           (1 + exp_of_minus_abs);
  }
  static Vec Silu(Vec x) { return SiluAndSlope(x).value; }
  struct ValueAndSlope {
    Vec value;
    Vec slope;
  };
  static ValueAndSlope SiluAndSlope(Vec x) {
    const Vec sigmoid =
        SigmoidGivenExp(x, ExpOfNegative(SimdDouble::NegativeAbs(x)));
    return {x * sigmoid, sigmoid * (1 + x * (1 - sigmoid))};
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_DOUBLE_H_
