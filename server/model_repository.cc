#include "server/model_repository.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameLength = 64;

bool IsModelName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

// 0: not a version.
int64_t ParseVersion(const std::string& text) {
  int64_t version = 0;
  if (!absl::SimpleAtoi(text, &version) || absl::StrCat(version) != text) {
    return 0;
  }
  return std::max<int64_t>(version, 0);
}

// The names of the folders in `path`, sorted.
absl::StatusOr<std::vector<std::string>> Folders(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) names.push_back(it->path().filename());
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the folder ", path, ": ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

absl::StatusOr<std::vector<ModelFolder>> FindModels(const std::string& root) {
  GM_ASSIGN_OR_RETURN(const std::vector<std::string> names, Folders(root));
  std::vector<ModelFolder> models;
  for (const std::string& name : names) {
    if (!IsModelName(name)) continue;
    const std::string folder = absl::StrCat(root, "/", name);
    GM_ASSIGN_OR_RETURN(const std::vector<std::string> entries,
                        Folders(folder));
    int64_t highest = 0;
    for (const std::string& entry : entries) {
      highest = std::max(highest, ParseVersion(entry));
    }
    if (highest == 0) continue;
    GM_ASSIGN_OR_RETURN(ModelFolder model,
                        ReadModelFolder(absl::StrCat(folder, "/", highest)));
    models.push_back(std::move(model));
  }
  if (models.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "no model in ", root, ": expected <name>/<version>/config.json there"));
  }
  return models;
}

ModelRepository::ModelRepository(
    std::vector<std::unique_ptr<ServedModel>> models, std::string default_model)
    : models_(std::move(models)), default_model_(std::move(default_model)) {}

absl::StatusOr<ServedModel*> ModelRepository::Find(absl::string_view name,
                                                   int64_t version) const {
  if (name.empty()) name = default_model_;
  if (name.empty() && models_.size() > 1) return Error(Reason::kModelNotNamed);
  for (const auto& model : models_) {
    if (!name.empty() && model->folder().name != name) continue;
    if (version != 0 && model->folder().version != version) {
      return Error(Reason::kUnknownVersion);
    }
    return model.get();
  }
  return Error(Reason::kUnknownModel);
}

}  // namespace groupmamba
