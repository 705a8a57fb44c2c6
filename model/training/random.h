// Random numbers as a pure function of what they are for: (seed, epoch,
// picture). Nothing has to be stored to go on after a stop, and the order in
// which pictures are prepared does not matter.

#ifndef GROUPMAMBA_MODEL_TRAINING_RANDOM_H_
#define GROUPMAMBA_MODEL_TRAINING_RANDOM_H_

#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace groupmamba::training {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014), started from a hash of its keys.
class Random {
 public:
  Random(std::initializer_list<uint64_t> keys) {
    for (uint64_t key : keys) {
      state_ = Mix(state_ + kGolden + key);
    }
  }

  // Uniform over all 64-bit values.
  uint64_t Next() {
    state_ += kGolden;
    return Mix(state_);
  }

  // Uniform in [0, bound); bound at least 1. The bias is below bound / 2^64.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // Uniform in [0, 1), with 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  // Uniform in [from, to).
  double Between(double from, double to) {
    return from + (to - from) * Uniform();
  }

  // Of mean 0 and variance 1 (Box and Muller, A Note on the Generation of
  // Random Normal Deviates, 1958).
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * M_PI * Uniform());
  }

 private:
  static constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;

  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  uint64_t state_ = 0;
};

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RANDOM_H_
