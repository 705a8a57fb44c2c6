// From a picture's bytes to the network's input, by table. Torch-free.

#ifndef GROUPMAMBA_MODEL_NORMALISATION_H_
#define GROUPMAMBA_MODEL_NORMALISATION_H_

#include <array>
#include <cstdint>

#include "model/config.h"

namespace groupmamba {

// Immutable; any thread may use it.
class Normalisation {
 public:
  explicit Normalisation(const InputConfig& input) {
    for (int c = 0; c < 3; ++c) {
      for (int value = 0; value < 256; ++value) {
        table_[c][value] = static_cast<float>(
            (value / 255.0 - double{input.mean[c]}) / double{input.std[c]});
      }
    }
  }

  // Both hold `pixels` times R, G, B.
  void Apply(const uint8_t* from, int64_t pixels, float* to) const {
    for (int64_t i = 0; i < 3 * pixels; i += 3) {
      to[i] = table_[0][from[i]];
      to[i + 1] = table_[1][from[i + 1]];
      to[i + 2] = table_[2][from[i + 2]];
    }
  }

 private:
  // By channel, what each of the 256 byte values is after normalisation.
  std::array<std::array<float, 256>, 3> table_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_NORMALISATION_H_
