// Stands in for the compiler's <immintrin.h> in
// tests/kernels/emulate_avx512.sh: SIMDe's portable versions of the AVX-512
// intrinsics, and those that Debian 12's SIMDe lacks.
#ifndef GROUPMAMBA_TESTS_KERNELS_EMULATED_IMMINTRIN_H_
#define GROUPMAMBA_TESTS_KERNELS_EMULATED_IMMINTRIN_H_

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstdint>

using __mmask16 = simde__mmask16;

inline simde__m512 _mm512_maskz_loadu_ps(__mmask16 mask, const float* from) {
  float lanes[16] = {};
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) lanes[i] = from[i];
  }
  return simde_mm512_loadu_ps(lanes);
}

inline void _mm512_mask_storeu_ps(float* to, __mmask16 mask, simde__m512 x) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, x);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) to[i] = lanes[i];
  }
}

inline float _mm512_reduce_add_ps(simde__m512 x) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, x);
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// To the nearest, ties to even; subnormal numbers become 0, as in the
// instruction. No NaN comes here.
inline __m256bh _mm512_cvtneps_pbh(simde__m512 x) {
  uint32_t lanes[16];
  simde_mm512_storeu_ps(lanes, x);
  uint16_t rounded[16];
  for (int i = 0; i < 16; ++i) {
    const bool normal = (lanes[i] & 0x7f800000) != 0;
    const uint32_t bits = normal ? lanes[i] : lanes[i] & 0x80000000;
    rounded[i] =
        static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  __m256bh result;
  __builtin_memcpy(&result, rounded, sizeof(result));
  return result;
}

#endif  // GROUPMAMBA_TESTS_KERNELS_EMULATED_IMMINTRIN_H_
