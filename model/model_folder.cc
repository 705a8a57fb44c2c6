// ReadModelFolder and ParseLabels of model/config.h.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "model/config.h"
#include "model/file.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr size_t kMaxLabelBytes = 256;

// C0, DEL, and C1 in its two-byte form; they would garble logs and terminals.
bool HasControlCharacter(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next =
        static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\xff');
    if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next < 0xa0)) {
      return true;
    }
  }
  return false;
}

absl::Status CheckLabel(absl::string_view label) {
  if (label.empty()) return absl::InvalidArgumentError("is empty");
  if (label.size() > kMaxLabelBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("is longer than ", kMaxLabelBytes, " bytes"));
  }
  if (HasControlCharacter(label)) {
    return absl::InvalidArgumentError("holds a control character");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadText(const std::string& path,
                                     int64_t max_bytes) {
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                      ReadRegularFile(path, max_bytes));
  return std::string(bytes.begin(), bytes.end());
}

absl::Status ReadNameAndVersion(ModelFolder* folder) {
  const std::vector<std::string> parts =
      absl::StrSplit(folder->path, '/', absl::SkipEmpty());
  if (parts.size() < 2 || !IsPlainName(parts[parts.size() - 2])) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder->path, " does not end in <name>/<version>"));
  }
  folder->name = parts[parts.size() - 2];
  const std::string& version = parts.back();
  if (!absl::SimpleAtoi(version, &folder->version) || folder->version < 1 ||
      absl::StrCat(folder->version) != version) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder->path, ": the version must be a positive integer"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseLabels(const std::string& text) {
  if (!IsUtf8(text)) return absl::InvalidArgumentError("is not UTF-8");
  std::vector<std::string> labels = absl::StrSplit(text, '\n');
  if (labels.back().empty()) labels.pop_back();  // the end of the last line
  for (size_t i = 0; i < labels.size(); ++i) {
    const absl::Status status = CheckLabel(labels[i]);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", i + 1, " ", status.message()));
    }
  }
  return labels;
}

absl::StatusOr<ModelFolder> ReadModelFolder(const std::string& path) {
  ModelFolder folder;
  folder.path = path;
  GM_RETURN_IF_ERROR(ReadNameAndVersion(&folder));

  const std::string config_path = absl::StrCat(path, "/config.json");
  GM_ASSIGN_OR_RETURN(const std::string json,
                      ReadText(config_path, kMaxConfigBytes));
  absl::StatusOr<ModelConfig> config = ParseModelConfig(json);
  if (!config.ok()) return InFile(config_path, config.status());
  folder.config = *std::move(config);

  const std::string labels_path =
      absl::StrCat(path, "/", folder.config.labels_file);
  const int64_t max_label_bytes =
      folder.config.classes * static_cast<int64_t>(kMaxLabelBytes + 1);
  GM_ASSIGN_OR_RETURN(const std::string text,
                      ReadText(labels_path, max_label_bytes));
  absl::StatusOr<std::vector<std::string>> labels = ParseLabels(text);
  if (!labels.ok()) return InFile(labels_path, labels.status());
  if (labels->size() != static_cast<size_t>(folder.config.classes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        labels_path, ": has ", labels->size(),
        " lines; the configuration says ", folder.config.classes, " classes"));
  }
  folder.labels = *std::move(labels);
  return folder;
}

}  // namespace groupmamba
