// A model and pictures small enough to train within a test.

#ifndef GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_
#define GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_

#include <string>

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
  settings.cutout_probability = 0.5;
  settings.drop_path = 0.2;
  settings.threads = 1;
  return settings;
}

// Thirteen pictures of 32x32, so that an epoch of three steps leaves one out.
// Their classes are told apart by a bright bar that moves with the label.
inline Pictures TinyPictures() {
  Pictures pictures{.side = 32, .pixels = {}, .labels = {}};
  for (int i = 0; i < 13; ++i) {
    const int label = i % 10;
    pictures.labels.push_back(label);
    for (int p = 0; p < 32 * 32; ++p) {
      const bool bar = p / 32 / 3 == label;
      pictures.pixels.push_back(bar ? 250 : (p * 7 + i * 13) % 64);
    }
  }
  return pictures;
}

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_TESTS_MODEL_TRAINING_TINY_RUN_H_
