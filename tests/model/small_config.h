// A configuration small enough for slow comparisons. Torch-free.

#ifndef GROUPMAMBA_TESTS_MODEL_SMALL_CONFIG_H_
#define GROUPMAMBA_TESTS_MODEL_SMALL_CONFIG_H_

#include "model/config.h"

namespace groupmamba {

// Every stage differs in width, depth and ratio; groups of 4, 6, 8 and 11
// channels, so that vectors are not always full. Pictures of 64 pixels, 7
// classes.
inline ModelConfig SmallConfig(BlockForm form) {
  ModelConfig config;
  config.block = form;
  config.stem_width = 8;
  config.widths = {16, 24, 32, 44};
  config.depths = {1, 2, 1, 1};
  config.mlp_ratios = {4, 3, 2, 1};
  config.classes = 7;
  config.input.resize = 64;
  config.input.crop = 64;
  config.input.mean = {0.485f, 0.456f, 0.406f};
  config.input.std = {0.229f, 0.224f, 0.225f};
  config.labels_file = "labels.txt";
  config.weights_file = "model.safetensors";
  return config;
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_SMALL_CONFIG_H_
