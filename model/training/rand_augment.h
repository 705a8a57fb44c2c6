// Random augmentation (Cubuk, Zoph, Shlens, Le: RandAugment, arXiv:1909.13719)
// with the operations and strengths of the configuration that the authors name,
// rand-m9-mstd0.5-inc1: every operation is applied with probability 1/2, its
// strength is normal around the magnitude, and all grow with it.

#ifndef GROUPMAMBA_MODEL_TRAINING_RAND_AUGMENT_H_
#define GROUPMAMBA_MODEL_TRAINING_RAND_AUGMENT_H_

#include <array>
#include <cstdint>

#include "model/training/random.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba::training {

enum class Operation {
  kAutoContrast,  // each channel stretched to 0..255
  kEqualize,      // each channel's values spread evenly
  kInvert,
  kRotate,       // by up to 30 degrees
  kPosterize,    // the upper 4 to 0 bits of each value
  kSolarize,     // values from a threshold on inverted; 256 down to 0
  kSolarizeAdd,  // up to 110 added to values below 128
  kColor,        // saturation, contrast, brightness, sharpness: up to 0.9 less
  kContrast,     // or more
  kBrightness,
  kSharpness,
  kShearX,  // by up to 0.3
  kShearY,
  kTranslateX,  // by up to 0.45 of the side
  kTranslateY,
};
inline constexpr int kOperations = 15;

using Colour = std::array<uint8_t, 3>;  // R, G, B

// `level`: 0 (weakest) to 10. `negative` turns the other way, or weakens. What
// a geometric operation leaves empty gets `fill`. `picture` is CV_8UC3 and
// changed in place.
void Apply(Operation operation, double level, bool negative, Colour fill,
           cv::Mat* picture);

struct RandAugmentSpec {
  int operations = 0;      // drawn for a picture, one after the other; 0: none
  double magnitude = 9;    // mean level
  double deviation = 0.5;  // standard deviation of the level
};

void RandAugment(const RandAugmentSpec& spec, Colour fill, Random* random,
                 cv::Mat* picture);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RAND_AUGMENT_H_
