// Values as the kernels store them, for the tests: fp32 or bf16 vectors from
// numbers and back.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_VALUES_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_VALUES_H_

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/cuda/context.h"
#include "kernels/cuda/launch.h"

namespace groupmamba::testing {

inline float ToFloat(float value) { return value; }
inline float ToFloat(cuda::Bf16 value) {
  return cuda::FloatOfBits(uint32_t{value.bits} << 16);
}

// Rounded to nearest, ties to even.
template <class T>
T Stored(float value);
template <>
inline float Stored<float>(float value) {
  return value;
}
template <>
inline cuda::Bf16 Stored<cuda::Bf16>(float value) {
  const uint32_t bits = cuda::BitsOfFloat(value);
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

template <class T>
constexpr cuda::Storage StorageOf() {
  return sizeof(T) == 4 ? cuda::Storage::kFp32 : cuda::Storage::kBf16;
}

inline std::vector<float> RandomFloats(size_t count, float low, float high,
                                       int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(low, high);
  std::vector<float> values(count);
  for (float& x : values) x = value(random);
  return values;
}

template <class T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// sqrt(sum (got - want)^2 / sum want^2).
inline double RelativeL2(const std::vector<double>& got,
                         const std::vector<double>& want) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_DEVICE_VALUES_H_
