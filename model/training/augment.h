// Random changes to a training picture that do not change its label, and the
// order in which an epoch visits the pictures.

#ifndef GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_
#define GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/training/random.h"

namespace groupmamba::training {

struct AugmentSpec {
  bool flip = true;  // mirrored left to right, for half of the pictures

  // Moved by up to so many pixels of the enlarged picture, each way, uniformly;
  // what comes in is black. 0: not moved.
  int shift = 0;

  // How often a square is blackened (cut-out, DeVries and Taylor,
  // arXiv:1708.04552), 0 to 1, and its side in pixels; its centre is anywhere
  // in the picture.
  double cutout_probability = 0;
  int cutout_side = 0;
};

// `in` and `out` are side * side gray values, row by row; they may not overlap.
void Augment(const AugmentSpec& spec, int side, Random random,
             absl::Span<const uint8_t> in, absl::Span<uint8_t> out);

// The numbers 0 to count - 1 in the order of this epoch.
std::vector<int32_t> EpochOrder(uint64_t seed, int64_t epoch, int64_t count);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_AUGMENT_H_
