// Sixteen floats at a time with AVX-512F: the operations of simd_portable.h.
// Only for files compiled with it.

#ifndef GROUPMAMBA_KERNELS_SIMD_AVX512_H_
#define GROUPMAMBA_KERNELS_SIMD_AVX512_H_

#include <immintrin.h>

#include <cstdint>

namespace groupmamba::kernels {

struct SimdAvx512 {
  using Scalar = float;
  static constexpr int kLanes = 16;
  using Vec = __m512;

  static Vec Set(float x) { return _mm512_set1_ps(x); }

  static Vec Load(const float* from) { return _mm512_loadu_ps(from); }
  static void Store(float* to, Vec x) { _mm512_storeu_ps(to, x); }

  // Of sixteen pairs of bf16 the first ones, or the second ones, as floats.
  static Vec LoadLowHalves(const void* pairs) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_loadu_si512(pairs), 16));
  }
  static Vec LoadHighHalves(const void* pairs) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_loadu_si512(pairs),
                         _mm512_set1_epi32(static_cast<int>(0xffff0000))));
  }

  static __mmask16 Mask(int count) {
    return static_cast<__mmask16>((uint32_t{1} << count) - 1);
  }
  static Vec LoadPart(const float* from, int count) {
    return _mm512_maskz_loadu_ps(Mask(count), from);
  }
  static void StorePart(float* to, Vec x, int count) {
    _mm512_mask_storeu_ps(to, Mask(count), x);
  }

  static Vec FirstLanes(Vec x, int count) {
    return _mm512_maskz_mov_ps(Mask(count), x);
  }

  static Vec MulAdd(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }

  // VMAXPS returns its second operand where either is NaN.
  static Vec Max(float floor, Vec x) { return _mm512_max_ps(Set(floor), x); }

  static Vec NegativeAbs(Vec x) {
    return _mm512_castsi512_ps(
        _mm512_or_si512(_mm512_castps_si512(x), _mm512_set1_epi32(INT32_MIN)));
  }

  static Vec IfNegative(Vec x, Vec then, Vec otherwise) {
    return _mm512_mask_blend_ps(
        _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), otherwise,
        then);
  }

  static Vec AddExponent(Vec x, Vec bits) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(x),
                         _mm512_slli_epi32(_mm512_castps_si512(bits), 23)));
  }

  static float Sum(Vec x) { return _mm512_reduce_add_ps(x); }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_AVX512_H_
