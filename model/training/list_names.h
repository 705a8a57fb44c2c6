// What a folder holds.

#ifndef GROUPMAMBA_MODEL_TRAINING_LIST_NAMES_H_
#define GROUPMAMBA_MODEL_TRAINING_LIST_NAMES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace groupmamba::training {

// The names in `folder` whose entries `keep` is true for, in the order of their
// bytes. Errors: NOT_FOUND, it cannot be listed.
absl::StatusOr<std::vector<std::string>> ListNames(
    const std::string& folder,
    absl::FunctionRef<bool(const std::filesystem::directory_entry&)> keep);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_LIST_NAMES_H_
