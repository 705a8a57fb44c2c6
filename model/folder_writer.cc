#include "model/folder_writer.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/file.h"

namespace groupmamba {

absl::Status WriteModelFolder(
    const std::string& folder, ModelConfig config,
    const std::map<std::string, TensorBytes>& tensors,
    const std::map<std::string, std::string>& metadata,
    absl::string_view labels) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("cannot create ", folder));
  }
  GM_ASSIGN_OR_RETURN(
      config.weights_sha256,
      WriteSafetensors(absl::StrCat(folder, "/", config.weights_file), tensors,
                       metadata));
  GM_RETURN_IF_ERROR(WriteFileAtomically(
      absl::StrCat(folder, "/", config.labels_file), labels));
  return WriteFileAtomically(absl::StrCat(folder, "/config.json"),
                             FormatModelConfig(config));
}

std::string NumberedLabels(int classes) {
  std::string labels;
  for (int i = 0; i < classes; ++i) {
    absl::StrAppendFormat(&labels, "class-%04d\n", i);
  }
  return labels;
}

}  // namespace groupmamba
