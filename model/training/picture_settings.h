// How pictures are read and changed.

#ifndef GROUPMAMBA_MODEL_TRAINING_PICTURE_SETTINGS_H_
#define GROUPMAMBA_MODEL_TRAINING_PICTURE_SETTINGS_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"

namespace CLI {
class App;
}

namespace groupmamba::training {

struct PictureSettings {
  // Reading.
  int loader_threads = 2;
  int64_t max_broken = 100;  // pictures that may be unreadable

  // What the model sees, and its config.json says.
  int resize = 0;  // pixels of the short side before the crop; 0: the crop's
  std::array<float, 3> mean = {0.286f, 0.286f, 0.286f};  // Fashion-MNIST's
  std::array<float, 3> std = {0.353f, 0.353f, 0.353f};

  // Changes to a training picture (AugmentSpec).
  bool flip = true;
  double shift = 2;  // 28ths of the picture's side
  double cutout_probability = 0.25;
  double cutout_size = 0.3;  // of the picture's side
  double smallest_crop = 1;
  int random_operations = 0;
  double random_magnitude = 9;
  double random_deviation = 0.5;
  double erase = 0;

  // Changes to a batch (MixSpec).
  double mixup = 0;
  double cutmix = 0;
  double mix_probability = 1;
  double cutmix_share = 0.5;
};

void AddPictureFlags(CLI::App* app, PictureSettings* settings);

// INVALID_ARGUMENT names the setting that is out of range.
absl::Status CheckPictureSettings(const PictureSettings& settings);

// Adds those that decide the result.
void AddToJson(const PictureSettings& settings, nlohmann::ordered_json* json);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PICTURE_SETTINGS_H_
