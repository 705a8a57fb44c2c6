// The model that teaches, read from its folder.

#ifndef GROUPMAMBA_MODEL_TRAINING_TEACHER_H_
#define GROUPMAMBA_MODEL_TRAINING_TEACHER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/network.h"

namespace groupmamba::training {

// Null when `path` is empty. Otherwise the model in that folder, ready to run.
// Since it sees the student's pictures, its input and its number of classes
// must be the student's: INVALID_ARGUMENT if not, and for a damaged folder.
absl::StatusOr<std::unique_ptr<Network>> LoadTeacher(
    const std::string& path, const ModelConfig& student);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TEACHER_H_
