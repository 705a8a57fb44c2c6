// Weights and inputs made by a formula instead of training, so that tests and
// benches rebuild them anywhere and no file has to travel. The goldens
// (tests/data/golden) were computed with them by the reference implementation.
// Torch-free.
//
// All integers are unsigned 64-bit and wrap. Element i, row-major from 0, of a
// tensor:
//
//   start = fnv1a64(name) + seed * G            G = 0x9E3779B97F4A7C15
//   z     = splitmix64's output for the state start + (i + 1) * G
//   u     = (z >> 40) * 2^-23 - 1               a double in [-1, 1)
//   value = float(offset + scale * u)           rounded once
//
// with offset and scale by the last part of the name (formula_weights.cc).

#ifndef GROUPMAMBA_MODEL_FORMULA_WEIGHTS_H_
#define GROUPMAMBA_MODEL_FORMULA_WEIGHTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/config.h"

namespace groupmamba {

// One tensor's values. INVALID_ARGUMENT: a name that the formula does not
// cover, num_batches_tracked included.
absl::StatusOr<std::vector<float>> FormulaTensor(
    absl::string_view name, absl::Span<const int64_t> shape, uint64_t seed);

// The values of all of ListParameters(config) but the counters, by name.
absl::StatusOr<std::map<std::string, std::vector<float>>> FormulaWeights(
    const ModelConfig& config, uint64_t seed);

// An already normalised picture, [batch, 3, height, width]: noise with a wave
// that tells images, channels, rows and columns apart.
std::vector<float> FormulaInput(int64_t batch, int64_t height, int64_t width,
                                uint64_t seed);

// Where the goldens sample a flattened tensor of `elements` > 0: 64 indices.
std::vector<int64_t> GoldenSampleIndices(int64_t elements);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_FORMULA_WEIGHTS_H_
