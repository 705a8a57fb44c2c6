#include "model/training/list_names.h"

#include <algorithm>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace groupmamba::training {

namespace fs = std::filesystem;

absl::StatusOr<std::vector<std::string>> ListNames(
    const std::string& folder,
    absl::FunctionRef<bool(const fs::directory_entry&)> keep) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (keep(*entry)) names.push_back(entry->path().filename().string());
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat(folder, ": cannot be listed: ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace groupmamba::training
