// Compiled with -mavx2: nothing here may run before the CPU was asked, and
// nothing from shared headers may be instantiated here that other files use
// too.

#include <immintrin.h>

#include <cstring>

#include "model/image/resample.h"

namespace groupmamba {
namespace {

// Four pixels of 3 bytes lie in 12 of 16 bytes loaded. Spread into 32-bit
// lanes: two pixels a vector, its fourth and eighth lane zero.
__m256i SpreadPixels01() {
  return _mm256_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1,  //
                          -1, -1, -1, -1,                               //
                          3, -1, -1, -1, 4, -1, -1, -1, 5, -1, -1, -1,  //
                          -1, -1, -1, -1);
}
__m256i SpreadPixels23() {
  return _mm256_setr_epi8(6, -1, -1, -1, 7, -1, -1, -1, 8, -1, -1, -1,    //
                          -1, -1, -1, -1,                                 //
                          9, -1, -1, -1, 10, -1, -1, -1, 11, -1, -1, -1,  //
                          -1, -1, -1, -1);
}

// 16 bytes from `in` on; zeros from `end` on, which is not read.
__m128i LoadUpTo(const uint8_t* in, const uint8_t* end) {
  if (end - in >= 16) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
  }
  alignas(16) uint8_t bytes[16] = {};
  if (in < end) std::memcpy(bytes, in, static_cast<size_t>(end - in));
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}

// Shifts the sums down to bytes, clipped; lane i of `sums` becomes byte i.
__m128i ToBytes(__m128i sums) {
  const __m128i shifted = _mm_srai_epi32(sums, kWeightBits);
  const __m128i words = _mm_packs_epi32(shifted, shifted);
  return _mm_packus_epi16(words, words);
}

void Row(const uint8_t* rgb, int width, const ResampleAxis& axis,
         uint8_t* out) {
  const uint8_t* end = rgb + static_cast<size_t>(width) * 3;
  const __m256i spread01 = SpreadPixels01();
  const __m256i spread23 = SpreadPixels23();
  const __m256i pick01 = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i pick23 = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  const int size = static_cast<int>(axis.first.size());
  for (int i = 0; i < size; ++i, out += 3) {
    const uint8_t* in = rgb + static_cast<size_t>(axis.first[i]) * 3;
    const int32_t* weights =
        axis.weights.data() + static_cast<size_t>(i) * axis.stride;
    __m256i even = _mm256_setzero_si256();
    __m256i odd = _mm256_setzero_si256();
    for (int tap = 0; tap < axis.taps[i]; tap += kTapGroup, in += 12) {
      const __m256i pixels = _mm256_broadcastsi128_si256(LoadUpTo(in, end));
      const __m256i w = _mm256_castsi128_si256(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + tap)));
      even = _mm256_add_epi32(
          even, _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread01),
                                   _mm256_permutevar8x32_epi32(w, pick01)));
      odd = _mm256_add_epi32(
          odd, _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread23),
                                  _mm256_permutevar8x32_epi32(w, pick23)));
    }
    const __m256i both = _mm256_add_epi32(even, odd);
    const __m128i sums =
        _mm_add_epi32(_mm_add_epi32(_mm256_castsi256_si128(both),
                                    _mm256_extracti128_si256(both, 1)),
                      _mm_set1_epi32(1 << (kWeightBits - 1)));
    const int32_t bytes = _mm_cvtsi128_si32(ToBytes(sums));
    std::memcpy(out, &bytes, 3);
  }
}

void Column(const uint8_t* rows, size_t step, int bytes, const int32_t* weights,
            int taps, uint8_t* out) {
  int at = 0;
  for (; at + 8 <= bytes; at += 8) {
    __m256i sums = _mm256_set1_epi32(1 << (kWeightBits - 1));
    const uint8_t* in = rows + at;
    for (int tap = 0; tap < taps; ++tap, in += step) {
      const __m256i samples = _mm256_cvtepu8_epi32(
          _mm_loadl_epi64(reinterpret_cast<const __m128i*>(in)));
      sums = _mm256_add_epi32(
          sums, _mm256_mullo_epi32(samples, _mm256_set1_epi32(weights[tap])));
    }
    const __m128i low = ToBytes(_mm256_castsi256_si128(sums));
    const __m128i high = ToBytes(_mm256_extracti128_si256(sums, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + at),
                     _mm_unpacklo_epi32(low, high));
  }
  kResamplePortable.column(rows + at, step, bytes - at, weights, taps,
                           out + at);
}

}  // namespace

const ResampleKernels kResampleAvx2 = {"avx2", Row, Column};

}  // namespace groupmamba
