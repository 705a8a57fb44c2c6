#include "client/labelled_pictures.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/picture_files.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

namespace fs = std::filesystem;

// "the model's labels are A, B, C, ...": enough to see what was meant.
std::string SomeLabels(const std::vector<std::string>& labels) {
  constexpr size_t kShown = 10;
  const size_t shown = std::min(labels.size(), kShown);
  return Printable(absl::StrCat(
      "the model's labels are ",
      absl::StrJoin(labels.begin(), labels.begin() + shown, ", "),
      shown < labels.size() ? absl::StrCat(", ... (", labels.size(), ")")
                            : ""));
}

absl::StatusOr<int> LabelOf(const std::string& name,
                            const std::vector<std::string>& labels) {
  const auto count = std::count(labels.begin(), labels.end(), name);
  if (count == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the folder '", Printable(name),
                     "' is no label of the model; ", SomeLabels(labels)));
  }
  if (count > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the folder '", Printable(name), "' stands for ", count,
                     " labels of the model that have this name"));
  }
  return static_cast<int>(std::find(labels.begin(), labels.end(), name) -
                          labels.begin());
}

// The label folders by their label.
absl::StatusOr<std::map<int, std::string>> LabelFolders(
    const std::string& folder, const std::vector<std::string>& labels) {
  std::map<int, std::string> folders;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().native();
    std::error_code ignored;
    if (!at->is_directory(ignored)) {
      if (!HasPictureExtension(name)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "'", Printable(at->path().native()),
          "' lies outside the label folders: put it into the folder of its "
          "label (FOLDER/<label>/<picture>)"));
    }
    if (name.front() == '.') continue;
    GM_ASSIGN_OR_RETURN(const int label, LabelOf(name, labels));
    folders[label] = at->path().native();
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("the folder '", Printable(folder),
                     "' cannot be read: ", error.message()));
  }
  if (folders.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Printable(folder),
                     "' holds no label folders (FOLDER/<label>/<picture>); ",
                     SomeLabels(labels)));
  }
  return folders;
}

}  // namespace

absl::StatusOr<std::vector<LabelledPicture>> FindLabelledPictures(
    const std::string& folder, const std::vector<std::string>& labels) {
  GM_ASSIGN_OR_RETURN(const auto folders, LabelFolders(folder, labels));
  std::vector<LabelledPicture> pictures;
  for (const auto& [label, path] : folders) {
    for (PictureFile& file : FindPictures({path})) {
      if (!file.status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", Printable(file.path), "': ", file.status.message()));
      }
      pictures.push_back({std::move(file.path), label});
    }
  }
  return pictures;
}

}  // namespace groupmamba::client
