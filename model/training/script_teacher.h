// A teacher in a TorchScript file, such as `torch.jit.trace` of a torchvision
// or timm model gives. A file of its own: its headers are LibTorch's largest.

#ifndef GROUPMAMBA_MODEL_TRAINING_SCRIPT_TEACHER_H_
#define GROUPMAMBA_MODEL_TRAINING_SCRIPT_TEACHER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/training/teacher.h"

namespace groupmamba::training {

// Its forward must take [n, 3, side, side], fp32, and give [n, classes], or a
// tuple of such (two heads), whose mean counts. Tried with one black picture
// here. INVALID_ARGUMENT names the file and what is wrong.
absl::StatusOr<std::unique_ptr<Teacher>> LoadScriptTeacher(
    const std::string& path, const ModelConfig& student,
    const TeacherOptions& options);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_SCRIPT_TEACHER_H_
