#include "model/training/picture_settings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

void AddReadingFlags(CLI::App* app, PictureSettings* s) {
  const std::string group = "Data";
  app->add_option("--loader-threads", s->loader_threads,
                  "Threads that read, decode and change pictures ahead; the "
                  "result does not depend on how many")
      ->capture_default_str()
      ->group(group);
  app->add_option(
         "--max-broken", s->max_broken,
         "Pictures that may be unreadable; each is named, and the next "
         "one stands in for it (in the test it counts as wrong)")
      ->capture_default_str()
      ->group(group);
  app->add_option(
         "--resize", s->resize,
         "Pixels of the short side before the middle is cut out when a "
         "picture is tested or served; 0: --side")
      ->capture_default_str()
      ->group(group);
  app->add_option("--mean", s->mean,
                  "Of R, G, B, where white is 1; subtracted from the pictures")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  app->add_option("--std", s->std, "Of R, G, B; what they are divided by then")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
}

void AddAugmentationFlags(CLI::App* app, PictureSettings* s) {
  const std::string group = "Augmentation";
  app->add_option("--smallest-crop", s->smallest_crop,
                  "Least share of a picture's area that is cut out at random "
                  "and enlarged to --side, proportions 3:4 to 4:3; 1: the "
                  "picture as it is served")
      ->capture_default_str()
      ->group(group);
  app->add_option("--flip", s->flip, "Mirror half of the pictures")
      ->capture_default_str()
      ->group(group);
  app->add_option("--shift", s->shift,
                  "Furthest move each way, in 28ths of the side: pixels of "
                  "Fashion-MNIST's pictures")
      ->capture_default_str()
      ->group(group);
  app->add_option("--random-operations", s->random_operations,
                  "Random augmentation: operations drawn for a picture, each "
                  "applied with probability 1/2; 0: none")
      ->capture_default_str()
      ->group(group);
  app->add_option("--random-magnitude", s->random_magnitude,
                  "Their mean strength, 0 to 10")
      ->capture_default_str()
      ->group(group);
  app->add_option("--random-deviation", s->random_deviation,
                  "Standard deviation of the strength")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutout-probability", s->cutout_probability,
                  "Chance that a square of a picture is blackened")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutout-size", s->cutout_size,
                  "Its side, as a fraction of the picture's")
      ->capture_default_str()
      ->group(group);
  app->add_option("--erase", s->erase,
                  "Chance that a rectangle of a picture becomes noise (random "
                  "erasing)")
      ->capture_default_str()
      ->group(group);
}

void AddMixFlags(CLI::App* app, PictureSettings* s) {
  const std::string group = "Mixing";
  app->add_option(
         "--mixup", s->mixup,
         "Blend pictures and labels in shares drawn from Beta(x, x), x "
         "up to 4; 0: never")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutmix", s->cutmix,
                  "Replace a box of a picture by another's, its area drawn "
                  "likewise; 0: never")
      ->capture_default_str()
      ->group(group);
  app->add_option("--mix-probability", s->mix_probability,
                  "Chance that a batch is mixed")
      ->capture_default_str()
      ->group(group);
  app->add_option("--cutmix-share", s->cutmix_share,
                  "How often by cutmix, where both are on")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void AddPictureFlags(CLI::App* app, PictureSettings* settings) {
  AddReadingFlags(app, settings);
  AddAugmentationFlags(app, settings);
  AddMixFlags(app, settings);
}

absl::Status CheckPictureSettings(const PictureSettings& s) {
  const auto within = [](double x, double low, double high) {
    return x >= low && x <= high;  // false for NaN
  };
  const auto all = [](const std::array<float, 3>& values, auto holds) {
    return std::all_of(values.begin(), values.end(), holds);
  };
  const struct {
    bool holds;
    absl::string_view problem;
  } rules[] = {
      {within(s.loader_threads, 1, 256), "--loader-threads must be 1 to 256"},
      {s.max_broken >= 0, "--max-broken must be at least 0"},
      {s.resize == 0 || within(s.resize, 32, 2048),
       "--resize must be 0 or 32 to 2048 pixels"},
      {all(s.mean, [&](float x) { return within(x, -1000, 1000); }),
       "--mean must be three numbers from -1000 to 1000"},
      {all(s.std, [&](float x) { return within(x, 0.001, 1000); }),
       "--std must be three numbers from 0.001 to 1000"},
      {within(s.shift, 0, 28), "--shift must be 0 to 28"},
      {within(s.cutout_probability, 0, 1),
       "--cutout-probability must be 0 to 1"},
      {within(s.cutout_size, 0, 1), "--cutout-size must be 0 to 1"},
      {within(s.smallest_crop, 0.01, 1), "--smallest-crop must be 0.01 to 1"},
      {within(s.random_operations, 0, 15),
       "--random-operations must be 0 to 15"},
      {within(s.random_magnitude, 0, 10), "--random-magnitude must be 0 to 10"},
      {within(s.random_deviation, 0, 10), "--random-deviation must be 0 to 10"},
      {within(s.erase, 0, 1), "--erase must be 0 to 1"},
      {within(s.mixup, 0, 4), "--mixup must be 0 to 4"},
      {within(s.cutmix, 0, 4), "--cutmix must be 0 to 4"},
      {within(s.mix_probability, 0, 1), "--mix-probability must be 0 to 1"},
      {within(s.cutmix_share, 0, 1), "--cutmix-share must be 0 to 1"},
  };
  for (const auto& rule : rules) {
    if (!rule.holds) return absl::InvalidArgumentError(rule.problem);
  }
  return absl::OkStatus();
}

void AddToJson(const PictureSettings& s, nlohmann::ordered_json* json) {
  json->update({{"resize", s.resize},
                {"mean", s.mean},
                {"std", s.std},
                {"flip", s.flip},
                {"shift", s.shift},
                {"cutout_probability", s.cutout_probability},
                {"cutout_size", s.cutout_size},
                {"smallest_crop", s.smallest_crop},
                {"random_operations", s.random_operations},
                {"random_magnitude", s.random_magnitude},
                {"random_deviation", s.random_deviation},
                {"erase", s.erase},
                {"mixup", s.mixup},
                {"cutmix", s.cutmix},
                {"mix_probability", s.mix_probability},
                {"cutmix_share", s.cutmix_share}});
}

}  // namespace groupmamba::training
