#include "model/training/open_pictures.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/training/folder_pictures.h"
#include "model/training/tar_pictures.h"

namespace groupmamba::training {

absl::StatusOr<std::unique_ptr<PictureSource>> OpenPictures(
    const std::string& folder, FashionSplit split, int64_t limit) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder + "/train", error)) {
    return OpenFashion(folder, split, limit);
  }
  const char* name = split == FashionSplit::kTrain ? "train" : "val";
  GM_ASSIGN_OR_RETURN(const std::vector<std::string> shards,
                      ListShards(folder, name));
  return shards.empty() ? OpenFolder(folder, name, limit)
                        : OpenShards(folder, shards, limit);
}

absl::Status CheckSameClasses(const PictureSource& train,
                              const PictureSource& test) {
  const auto [a, b] =
      std::mismatch(train.labels().begin(), train.labels().end(),
                    test.labels().begin(), test.labels().end());
  if (a == train.labels().end() && b == test.labels().end()) {
    return absl::OkStatus();
  }
  const std::string& first = a == train.labels().end() ? *b : *a;
  return absl::InvalidArgumentError(absl::StrCat(
      "the training and the test pictures have not the same classes; the first "
      "that differs is ",
      first));
}

}  // namespace groupmamba::training
