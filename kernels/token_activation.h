// An activation chosen at compile time.

#ifndef GROUPMAMBA_KERNELS_TOKEN_ACTIVATION_H_
#define GROUPMAMBA_KERNELS_TOKEN_ACTIVATION_H_

#include "kernels/simd_math.h"
#include "kernels/token_types.h"

namespace groupmamba::kernels {

template <class Simd, Activation kActivation>
typename Simd::Vec Activated(typename Simd::Vec x) {
  if constexpr (kActivation == Activation::kSilu) {
    return SimdMath<Simd>::Silu(x);
  } else {
    return SimdMath<Simd>::Gelu(x);
  }
}

// Its derivative.
template <class Simd, Activation kActivation>
typename Simd::Vec ActivationSlope(typename Simd::Vec x) {
  if constexpr (kActivation == Activation::kSilu) {
    return SimdMath<Simd>::SiluAndSlope(x).slope;
  } else {
    return SimdMath<Simd>::GeluSlope(x);
  }
}

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_ACTIVATION_H_
