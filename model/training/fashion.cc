#include "model/training/fashion.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/training/idx.h"

namespace groupmamba::training {
namespace {

class FashionPictures final : public PictureSource {
 public:
  explicit FashionPictures(FashionData data)
      : data_(std::move(data)),
        labels_(kFashionLabels.begin(), kFashionLabels.end()) {}

  int64_t count() const override { return data_.count(); }
  const std::vector<std::string>& labels() const override { return labels_; }
  int label(int64_t i) const override { return data_.labels[i]; }
  std::string name(int64_t i) const override {
    return absl::StrCat("picture ", i);
  }

  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    cv::Mat rgb(kFashionSide, kFashionSide, CV_8UC3);
    uint8_t* to = rgb.data;
    for (const uint8_t value : data_.picture(i)) {
      to = std::fill_n(to, 3, value);
    }
    return rgb;
  }

 private:
  const FashionData data_;
  const std::vector<std::string> labels_;
};

}  // namespace

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

absl::StatusOr<std::unique_ptr<PictureSource>> OpenFashion(
    const std::string& folder, FashionSplit split, int64_t limit) {
  GM_ASSIGN_OR_RETURN(FashionData data, ReadFashion(folder, split, limit));
  return std::make_unique<FashionPictures>(std::move(data));
}

}  // namespace groupmamba::training
