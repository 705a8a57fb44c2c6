#include "server/model_folders.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace groupmamba {
namespace {

namespace fs = std::filesystem;

// 0: not a version.
int64_t ParseVersion(const std::string& text) {
  int64_t version = 0;
  if (!absl::SimpleAtoi(text, &version) || absl::StrCat(version) != text) {
    return 0;
  }
  return std::max<int64_t>(version, 0);
}

// The names of the entries of `path`, sorted.
absl::StatusOr<std::vector<std::string>> Entries(const std::string& path,
                                                 bool folders_only) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (folders_only && !it->is_directory(ignored)) continue;
    names.push_back(it->path().filename());
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the folder ", path, ": ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

absl::StatusOr<std::vector<ModelPath>> ListModels(const std::string& root) {
  GM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      Entries(root, /*folders_only=*/true));
  std::vector<ModelPath> models;
  for (const std::string& name : names) {
    if (!IsPlainName(name)) continue;
    const std::string folder = absl::StrCat(root, "/", name);
    GM_ASSIGN_OR_RETURN(const std::vector<std::string> entries,
                        Entries(folder, /*folders_only=*/true));
    int64_t highest = 0;
    for (const std::string& entry : entries) {
      highest = std::max(highest, ParseVersion(entry));
    }
    if (highest == 0) continue;
    models.push_back({name, highest, absl::StrCat(folder, "/", highest)});
  }
  return models;
}

absl::StatusOr<std::vector<ModelFolder>> FindModels(const std::string& root) {
  GM_ASSIGN_OR_RETURN(const std::vector<ModelPath> paths, ListModels(root));
  std::vector<ModelFolder> models;
  for (const ModelPath& path : paths) {
    GM_ASSIGN_OR_RETURN(ModelFolder model, ReadModelFolder(path.path));
    models.push_back(std::move(model));
  }
  if (models.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "no model in ", root, ": expected <name>/<version>/config.json there"));
  }
  return models;
}

std::string FingerprintOf(const std::string& path) {
  std::string print = path;
  const auto entries = Entries(path, /*folders_only=*/false);
  if (!entries.ok()) return absl::StrCat(print, " unreadable");
  for (const std::string& name : *entries) {
    struct stat info = {};
    stat(absl::StrCat(path, "/", name).c_str(), &info);
    absl::StrAppend(&print, "\n", name, " ", info.st_ino, " ", info.st_size,
                    " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
  }
  return print;
}

}  // namespace groupmamba
