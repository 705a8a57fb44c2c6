// Sixteen bytes at a time in the compilers' own vector type: the shape of a
// SIMD wrapper that kernels/scan_block.h asks for, on any processor. Four
// floats; or two doubles, for derivatives by differences (kernels/simd_double.h
// completes it).

#ifndef GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_
#define GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_

#include <cstdint>

namespace groupmamba::kernels {

template <class T>
struct BasicSimdPortable {
  using Scalar = T;
  static constexpr int kLanes = 16 / sizeof(T);
  using Vec [[gnu::vector_size(16)]] = T;

  using Unsigned = uint32_t __attribute__((vector_size(16)));
  static Unsigned LoadBits(const void* from) {
    Unsigned bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return bits;
  }

  static Vec Set(T x) { return x - Vec{}; }

  static Vec Load(const T* from) {
    Vec x;
    __builtin_memcpy(&x, from, sizeof(x));
    return x;
  }
  static void Store(T* to, Vec x) { __builtin_memcpy(to, &x, sizeof(x)); }

  // Of four pairs of bf16 the first ones, or the second ones, as floats.
  static Vec LoadLowHalves(const void* pairs) {
    return reinterpret_cast<Vec>(LoadBits(pairs) << 16);
  }
  static Vec LoadHighHalves(const void* pairs) {
    return reinterpret_cast<Vec>(LoadBits(pairs) & 0xffff0000);
  }

  // The first `count` lanes, 1 to kLanes; the others are 0, and their memory is
  // not touched.
  static Vec LoadPart(const T* from, int count) {
    Vec x = {};
    for (int i = 0; i < count; ++i) x[i] = from[i];
    return x;
  }
  static void StorePart(T* to, Vec x, int count) {
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
  static Vec Max(T floor, Vec x) { return Set(floor) > x ? Set(floor) : x; }

  static Vec NegativeAbs(Vec x) { return x < Set(0) ? x : -x; }

  static Vec IfNegative(Vec x, Vec then, Vec otherwise) {
    return x < Set(0) ? then : otherwise;
  }

  // x 2^n, where n is the integer in the low 9 bits of `bits`, and neither x
  // nor the result is 0, subnormal or infinite. Of floats.
  static Vec AddExponent(Vec x, Vec bits) {
    return reinterpret_cast<Vec>(reinterpret_cast<Unsigned>(x) +
                                 (reinterpret_cast<Unsigned>(bits) << 23));
  }

  static T Sum(Vec x) {
    if constexpr (kLanes == 2) {
      return x[0] + x[1];
    } else {
      return (x[0] + x[2]) + (x[1] + x[3]);
    }
  }
};

using SimdPortable = BasicSimdPortable<float>;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_PORTABLE_H_
