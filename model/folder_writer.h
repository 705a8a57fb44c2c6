// Writes what ReadModelFolder and ReadWeights read. Torch-free.

#ifndef GROUPMAMBA_MODEL_FOLDER_WRITER_H_
#define GROUPMAMBA_MODEL_FOLDER_WRITER_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace groupmamba {

// Writes a model's weights, labels.txt with `labels` as its text, and
// config.json with the weights' hash into `folder`, which it makes if need be.
// config.json comes last: without it the folder is no model yet.
absl::Status WriteModelFolder(
    const std::string& folder, ModelConfig config,
    const std::map<std::string, TensorBytes>& tensors,
    const std::map<std::string, std::string>& metadata,
    absl::string_view labels);

// "class-0000", "class-0001", ..., a line each, for who has no labels.
std::string NumberedLabels(int classes);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_FOLDER_WRITER_H_
