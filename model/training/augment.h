// Random changes to a training picture that do not change its label, and the
// order in which an epoch visits the pictures.

#ifndef GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_
#define GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/config.h"
#include "model/training/rand_augment.h"
#include "model/training/random.h"
#include "opencv2/core/mat.hpp"

namespace groupmamba::training {

// In the order in which they are done.
struct AugmentSpec {
  // The smallest share of the picture's area that is cut out and enlarged, its
  // proportions from 3:4 to 4:3 (random resized crop: Szegedy et al., Going
  // Deeper with Convolutions, arXiv:1409.4842, section 6). 1: the picture as it
  // is served.
  double smallest_crop = 1;

  bool flip = true;  // mirrored left to right, for half of the pictures

  // Moved by up to so many pixels of the enlarged picture, each way, uniformly;
  // what comes in is black. 0: not moved.
  int shift = 0;

  RandAugmentSpec random = {};

  // How often a square is blackened (cut-out, DeVries and Taylor,
  // arXiv:1708.04552), 0 to 1, and its side in pixels; its centre is anywhere
  // in the picture.
  double cutout_probability = 0;
  int cutout_side = 0;

  // How often a rectangle of 2 to 33 % of the area becomes noise (random
  // erasing, Zhong et al., arXiv:1708.04896): each value normal, with the
  // input's mean and deviation, cut to 0..255.
  double erase_probability = 0;
};

// `rgb` as read, of any size -> crop * crop * 3 bytes. Errors: those of
// TransformImage.
absl::Status Augment(const AugmentSpec& spec, const InputConfig& input,
                     Random random, const cv::Mat& rgb,
                     absl::Span<uint8_t> out);

// The part of a picture that a random resized crop takes.
cv::Rect RandomCrop(double smallest, int height, int width, Random* random);

// The numbers 0 to count - 1 in the order of this epoch.
std::vector<int32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t count);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_
