// Who teaches, and how a teacher's answers are written down.

#ifndef GROUPMAMBA_MODEL_TRAINING_TEACHER_SETTINGS_H_
#define GROUPMAMBA_MODEL_TRAINING_TEACHER_SETTINGS_H_

#include <array>
#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace groupmamba::training {

struct TeacherSettings {
  // Of a TorchScript teacher's pictures (TeacherOptions).
  int side = 224;
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};

  // Where to write the teacher's answers instead of training; empty: train.
  std::string write_labels;
};

void AddTeacherFlags(CLI::App* app, TeacherSettings* settings);

// INVALID_ARGUMENT names the setting that is out of range.
absl::Status CheckTeacherSettings(const TeacherSettings& settings);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TEACHER_SETTINGS_H_
