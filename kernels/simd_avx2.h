// Eight floats at a time with AVX2 and FMA: the operations of simd_portable.h.
// Only for files compiled with both.

#ifndef GROUPMAMBA_KERNELS_SIMD_AVX2_H_
#define GROUPMAMBA_KERNELS_SIMD_AVX2_H_

#include <immintrin.h>

namespace groupmamba::kernels {

struct SimdAvx2 {
  using Scalar = float;
  static constexpr int kLanes = 8;
  using Vec = __m256;

  static Vec Set(float x) { return _mm256_set1_ps(x); }

  static Vec Load(const float* from) { return _mm256_loadu_ps(from); }
  static void Store(float* to, Vec x) { _mm256_storeu_ps(to, x); }

  // Of eight pairs of bf16 the first ones, or the second ones, as floats.
  static Vec LoadLowHalves(const void* pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_loadu_si256(static_cast<const __m256i*>(pairs)), 16));
  }
  static Vec LoadHighHalves(const void* pairs) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_loadu_si256(static_cast<const __m256i*>(pairs)),
                         _mm256_set1_epi32(static_cast<int>(0xffff0000))));
  }

  // All ones in the first `count` lanes.
  static __m256i Mask(int count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
  }
  static Vec LoadPart(const float* from, int count) {
    return _mm256_maskload_ps(from, Mask(count));
  }
  static Vec FirstLanes(Vec x, int count) {
    return _mm256_and_ps(x, _mm256_castsi256_ps(Mask(count)));
  }
  // By halves: AMD's masked store takes twelve cycles and more.
  static void StorePart(float* to, Vec x, int count) {
    if (count == 8) return Store(to, x);
    __m128 rest = _mm256_castps256_ps128(x);
    if (count & 4) {
      _mm_storeu_ps(to, rest);
      rest = _mm256_extractf128_ps(x, 1);
      to += 4;
    }
    if (count & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(to), rest);
      rest = _mm_movehl_ps(rest, rest);
      to += 2;
    }
    if (count & 1) _mm_store_ss(to, rest);
  }

  static Vec MulAdd(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }

  // MAXPS returns its second operand where either is NaN.
  static Vec Max(float floor, Vec x) { return _mm256_max_ps(Set(floor), x); }

  static Vec NegativeAbs(Vec x) { return _mm256_or_ps(x, Set(-0.0f)); }

  static Vec IfNegative(Vec x, Vec then, Vec otherwise) {
    return _mm256_blendv_ps(otherwise, then, x);
  }

  static Vec AddExponent(Vec x, Vec bits) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(x),
                         _mm256_slli_epi32(_mm256_castps_si256(bits), 23)));
  }

  static float Sum(Vec x) {
    __m128 sum =
        _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    sum = _mm_add_ss(sum, _mm_movehdup_ps(sum));
    return _mm_cvtss_f32(sum);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_AVX2_H_
