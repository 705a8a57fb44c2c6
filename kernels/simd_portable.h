// Four floats at a time in the compilers' own vector type: the shape of a SIMD
// wrapper that kernels/scan_block.h asks for, on any processor.

#ifndef GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_
#define GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_

#include <cstdint>

namespace groupmamba::kernels {

struct SimdPortable {
  static constexpr int kLanes = 4;
  using Vec = float __attribute__((vector_size(16)));
  using Bits = int32_t __attribute__((vector_size(16)));

  using Unsigned = uint32_t __attribute__((vector_size(16)));
  static Unsigned LoadBits(const void* from) {
    Unsigned bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return bits;
  }

  static Vec Set(float x) { return Vec{x, x, x, x}; }

  static Vec Load(const float* from) {
    Vec x;
    __builtin_memcpy(&x, from, sizeof(x));
    return x;
  }
  static void Store(float* to, Vec x) { __builtin_memcpy(to, &x, sizeof(x)); }

  // Of four pairs of bf16 the first ones, or the second ones, as floats.
  static Vec LoadLowHalves(const void* pairs) {
    return reinterpret_cast<Vec>(LoadBits(pairs) << 16);
  }
  static Vec LoadHighHalves(const void* pairs) {
    return reinterpret_cast<Vec>(LoadBits(pairs) & 0xffff0000);
  }

  // The first `count` lanes, 1 to kLanes; the others are 0, and their memory is
  // not touched.
  static Vec LoadPart(const float* from, int count) {
    Vec x = {};
    for (int i = 0; i < count; ++i) x[i] = from[i];
    return x;
  }
  static void StorePart(float* to, Vec x, int count) {
    for (int i = 0; i < count; ++i) to[i] = x[i];
  }

  // x in the first `count` lanes, 0 in the others.
  static Vec FirstLanes(Vec x, int count) {
    for (int i = count; i < kLanes; ++i) x[i] = 0;
    return x;
  }

  // a * b + c; here with two roundings.
  static Vec MulAdd(Vec a, Vec b, Vec c) { return a * b + c; }

  // NaN where x is NaN.
  static Vec Max(float floor, Vec x) { return Set(floor) > x ? Set(floor) : x; }

  static Vec NegativeAbs(Vec x) {
    return reinterpret_cast<Vec>(reinterpret_cast<Bits>(x) | INT32_MIN);
  }

  static Vec IfNegative(Vec x, Vec then, Vec otherwise) {
    return x < Set(0) ? then : otherwise;
  }

  // x 2^n, where n is the integer in the low 9 bits of `bits`, and neither x
  // nor the result is 0, subnormal or infinite.
  static Vec AddExponent(Vec x, Vec bits) {
    return reinterpret_cast<Vec>(reinterpret_cast<Unsigned>(x) +
                                 (reinterpret_cast<Unsigned>(bits) << 23));
  }

  static float Sum(Vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_
