// A model and pictures small enough to train within a test.

#ifndef GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_
#define GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/training/pictures.h"
#include "model/training/settings.h"

namespace groupmamba::training {

// Four epochs of three steps. Every source of randomness is on.
inline TrainSettings TinySettings(const std::string& out) {
  TrainSettings settings;
  settings.out = out;
  settings.stem_width = 4;
  settings.widths = {4, 8, 8, 8};
  settings.depths = {1, 1, 1, 1};
  settings.mlp_ratios = {2, 2, 2, 2};
  settings.side = 32;
  settings.epochs = 4;
  settings.batch = 4;
  settings.pictures.cutout_probability = 0.5;
  settings.pictures.random_operations = 2;
  settings.pictures.smallest_crop = 0.5;
  settings.pictures.erase = 0.5;
  settings.pictures.mixup = 0.8;
  settings.pictures.cutmix = 1;
  settings.drop_path = 0.2;
  settings.threads = 1;
  return settings;
}

// Pictures of 32x32 whose classes are told apart by a bright bar that moves
// with the label, 0 to 9 and again.
class BarPictures final : public PictureSource {
 public:
  explicit BarPictures(int count) : count_(count) {}

  int64_t count() const override { return count_; }
  const std::vector<std::string>& labels() const override { return labels_; }
  int label(int64_t i) const override { return static_cast<int>(i % 10); }
  std::string name(int64_t i) const override {
    return "bar " + std::to_string(i);
  }
  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    cv::Mat rgb(32, 32, CV_8UC3);
    for (int p = 0; p < 32 * 32; ++p) {
      const bool bar = p / 32 / 3 == label(i);
      std::fill_n(rgb.data + 3 * p, 3,
                  static_cast<uint8_t>(bar ? 250 : (p * 7 + i * 13) % 64));
    }
    return rgb;
  }

 private:
  const int count_;
  const std::vector<std::string> labels_{kFashionLabels.begin(),
                                         kFashionLabels.end()};
};

// Thirteen, so that an epoch of three steps leaves one out.
inline std::unique_ptr<PictureSource> TinyPictures() {
  return std::make_unique<BarPictures>(13);
}

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_
