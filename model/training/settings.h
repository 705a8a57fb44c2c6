// Everything that a training run is told: one struct, its flags, its JSON.

#ifndef GROUPMAMBA_MODEL_TRAINING_SETTINGS_H_
#define GROUPMAMBA_MODEL_TRAINING_SETTINGS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/config.h"
#include "model/training/augment.h"
#include "model/training/fashion.h"
#include "model/training/mix.h"
#include "model/training/picture_settings.h"
#include "model/training/recipe.h"
#include "model/training/run_settings.h"
#include "model/training/schedule.h"
#include "model/training/teacher_settings.h"

namespace CLI {
class App;
}

namespace groupmamba::training {

struct TrainSettings {
  // Where.
  std::string data = kFashionFolder;  // OpenPictures
  std::string out;                    // the model folder to write
  std::string teacher;                // LoadTeacher; empty: no teacher
  bool restart = false;               // throw an old checkpoint away
  int64_t train_limit = 0;            // pictures; 0: all
  int64_t test_limit = 0;

  // The model.
  std::string block = "paper";  // or "released"
  int stem_width = 24;
  std::array<int, kStages> widths = {32, 64, 128, 192};
  std::array<int, kStages> depths = {1, 2, 2, 1};
  std::array<int, kStages> mlp_ratios = {4, 4, 4, 4};
  int side = 48;                  // pixels; the pictures are enlarged to it
  int classes = kFashionClasses;  // no flag: whoever opens the data sets it

  // The recipe.
  int64_t epochs = 12;
  int64_t batch = 128;          // pictures
  double learning_rate = 2e-3;  // at its highest
  // Of the step that learning_rate is for, in pictures; it grows in proportion
  // to `batch`. 0: as it is.
  int64_t learning_rate_batch = 0;
  double final_learning_rate = 0;  // at the end, as a fraction of the highest
  double warmup_epochs = 1;
  double weight_decay = 0.05;  // of weight matrices and kernels only
  double label_smoothing = 0.05;
  double alpha = 0.5;  // the true label's share, where a teacher is
  double clip = 5;     // of the gradients' norm; 0: not clipped
  double ema = 0.999;  // what stays of the averaged weights at a step
  double drop_path = 0;
  std::string precision = "fp32";  // or "bf16"
  uint64_t seed = 1;
  int threads = 2;  // of each process

  RecipeSettings named;
  PictureSettings pictures;
  TeacherSettings teaching;
  RunSettings run;
};

// Adds one flag for each setting, with its meaning, range and default. A
// setting can also be an environment variable, GROUPMAMBA_TRAIN_<FLAG>, or a
// line of the file that --config names; the earlier in that list wins, and all
// of them win over --recipe and --variant.
void AddFlags(CLI::App* app, TrainSettings* settings);

// INVALID_ARGUMENT names the setting that is out of range.
absl::Status CheckSettings(const TrainSettings& settings);

// Those settings that decide the result, as one line of JSON with a fixed
// order: two runs with the same line end with the same bits.
std::string ResultSettingsJson(const TrainSettings& settings);

// The model that the settings describe; the weights' hash is still empty.
ModelConfig MakeModelConfig(const TrainSettings& settings);

AugmentSpec MakeAugmentSpec(const TrainSettings& settings);

MixSpec MakeMixSpec(const TrainSettings& settings);

ScheduleSpec MakeSchedule(const TrainSettings& settings,
                          int64_t steps_per_epoch);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_SETTINGS_H_
