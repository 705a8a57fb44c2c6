// Weights as LibTorch tensors.

#ifndef GROUPMAMBA_MODEL_TENSORS_H_
#define GROUPMAMBA_MODEL_TENSORS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/network.h"
#include "model/safetensors.h"

namespace groupmamba {

// The fp32 tensors of a file that CheckWeights (model/weights.h) has accepted,
// as copies that do not need the file any more. Counters are left out.
TensorMap TensorsOf(const SafetensorsFile& file);

// Values by name (model/formula_weights.h), in the shapes of
// ListParameters(config). INVALID_ARGUMENT names a tensor that is missing or
// whose values are too few or too many.
absl::StatusOr<TensorMap> TensorsOf(
    const ModelConfig& config,
    const std::map<std::string, std::vector<float>>& values);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_TENSORS_H_
