#include "model/training/teacher_settings.h"

#include <algorithm>

#include "base/command_line.h"

namespace groupmamba::training {

void AddTeacherFlags(CLI::App* app, TeacherSettings* s) {
  const std::string group = "Teacher";
  app->add_option("--teacher-side", s->side,
                  "Side of a TorchScript teacher's pictures in pixels; the "
                  "student's are enlarged or reduced to it. 0: as they are")
      ->capture_default_str()
      ->group(group);
  app->add_option("--teacher-mean", s->mean,
                  "Of R, G, B, as a TorchScript teacher wants them normalised")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--teacher-std", s->std, "Likewise")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--write-teacher-labels", s->write_labels,
                  "Do not train, but ask --teacher for all training pictures "
                  "and write its answers to this file (.safetensors), which "
                  "can then be the --teacher of many runs")
      ->group(group);
}

absl::Status CheckTeacherSettings(const TeacherSettings& s) {
  if (s.side != 0 && (s.side < 32 || s.side > 2048)) {
    return absl::InvalidArgumentError(
        "--teacher-side must be 0 or 32 to 2048 pixels");
  }
  const auto positive = [](float x) { return x >= 0.001f && x <= 1000; };
  if (!std::all_of(s.std.begin(), s.std.end(), positive)) {
    return absl::InvalidArgumentError(
        "--teacher-std must be three numbers from 0.001 to 1000");
  }
  const auto near_zero = [](float x) { return x >= -1000 && x <= 1000; };
  if (!std::all_of(s.mean.begin(), s.mean.end(), near_zero)) {
    return absl::InvalidArgumentError(
        "--teacher-mean must be three numbers from -1000 to 1000");
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::training
