#include "model/training/fashion.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/training/idx.h"

namespace groupmamba::training {

absl::StatusOr<FashionData> ReadFashion(const std::string& folder,
                                        FashionSplit split, int64_t limit) {
  const std::string stem =
      absl::StrCat(folder, split == FashionSplit::kTrain ? "/train" : "/t10k");
  const std::string images_path = stem + "-images-idx3-ubyte.gz";
  const std::string labels_path = stem + "-labels-idx1-ubyte.gz";
  GM_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(images_path));
  GM_ASSIGN_OR_RETURN(IdxArray labels, ReadIdx(labels_path));

  if (images.shape.size() != 3 || images.shape[1] != kFashionSide ||
      images.shape[2] != kFashionSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(images_path, ": the pictures are not ", kFashionSide, "x",
                     kFashionSide));
  }
  if (labels.shape.size() != 1 || labels.shape[0] != images.shape[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(labels_path, ": not one label for each of the ",
                     images.shape[0], " pictures"));
  }
  for (uint8_t label : labels.values) {
    if (label >= kFashionClasses) {
      return absl::InvalidArgumentError(
          absl::StrCat(labels_path, ": a label is ", int{label}, "; there are ",
                       kFashionClasses, " classes"));
    }
  }

  FashionData data{std::move(images.values), std::move(labels.values)};
  if (limit > 0 && limit < data.count()) {
    data.labels.resize(limit);
    data.pixels.resize(limit * kFashionSide * kFashionSide);
  }
  return data;
}

}  // namespace groupmamba::training
