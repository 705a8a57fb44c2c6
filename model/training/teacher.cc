#include "model/training/teacher.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/tensors.h"
#include "model/weights.h"

namespace groupmamba::training {
namespace {

bool SamePictures(const InputConfig& a, const InputConfig& b) {
  return a.resize == b.resize && a.crop == b.crop &&
         a.interpolation == b.interpolation && a.mean == b.mean &&
         a.std == b.std;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> LoadTeacher(
    const std::string& path, const ModelConfig& student) {
  if (path.empty()) {
    return nullptr;
  }
  GM_ASSIGN_OR_RETURN(const ModelFolder folder, ReadModelFolder(path));
  if (!SamePictures(folder.config.input, student.input) ||
      folder.config.classes != student.classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": its pictures or classes are not the student's (side ",
        folder.config.input.crop, " against ", student.input.crop, ", ",
        folder.config.classes, " classes against ", student.classes, ")"));
  }
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(folder));
  return Network::Create(folder.config, TensorsOf(weights));
}

}  // namespace groupmamba::training
