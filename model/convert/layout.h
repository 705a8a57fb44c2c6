// What of GroupMamba a set of tensors is, by its names and shapes. Torch-free.

#ifndef GROUPMAMBA_MODEL_CONVERT_LAYOUT_H_
#define GROUPMAMBA_MODEL_CONVERT_LAYOUT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace groupmamba {

// Takes off what wrappers put before every name ("module.", "_orig_mod.", ...):
// whatever stands before the stem's first weight and before all other names as
// well. Returns it. INVALID_ARGUMENT: there is no such weight, so it is no
// GroupMamba; or a name without the prefix.
absl::StatusOr<std::string> StripPrefix(
    std::map<std::string, TensorBytes>* tensors);

// The configuration with the stem, widths, depths, ratios, classes and block
// form that the shapes tell, for `input`; file names are set, the hash is not.
// Whether every tensor is there is CheckWeights' question (model/weights.h).
// INVALID_ARGUMENT names the tensor without which it cannot be told, or the
// value that no configuration can have.
absl::StatusOr<ModelConfig> ConfigFromShapes(
    const std::map<std::string, TensorBytes>& tensors,
    const InputConfig& input);

// "tiny", "small", "base"; "": none of the published ones.
std::string VariantOf(const ModelConfig& config);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONVERT_LAYOUT_H_
