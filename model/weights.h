// Whether a weights file is the one that a model's configuration speaks of.
// Torch-free.

#ifndef GROUPMAMBA_MODEL_WEIGHTS_H_
#define GROUPMAMBA_MODEL_WEIGHTS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace groupmamba {

// Checks that `file` holds every tensor of ListParameters(config) as finite F32
// of its shape, and no other. Counters (num_batches_tracked) may be there or
// not; they are not looked at. FAILED_PRECONDITION names the first tensor at
// fault.
absl::Status CheckWeights(const SafetensorsFile& file,
                          const ModelConfig& config);

// Reads the folder's weights: first the file's SHA-256 must be the
// configuration's, then the file is parsed, then CheckWeights. Every error is
// FAILED_PRECONDITION with the file's path, for the operator.
absl::StatusOr<SafetensorsFile> ReadWeights(const ModelFolder& model);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_WEIGHTS_H_
