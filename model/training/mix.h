// Mixing the pictures of a batch: mixup (Zhang et al., arXiv:1710.09412) and
// cutmix (Yun et al., arXiv:1905.04899). What is drawn holds for the whole
// batch, whose pictures mix with their neighbours: 0 with 1, 2 with 3, and so
// on. Hence a batch that is cut into even parts, on several processes, is mixed
// as it would be whole.

#ifndef GROUPMAMBA_MODEL_TRAINING_MIX_H_
#define GROUPMAMBA_MODEL_TRAINING_MIX_H_

#include <cstdint>

#include "model/training/random.h"
#include "opencv2/core/types.hpp"

namespace groupmamba::training {

struct MixSpec {
  // Of the Beta(x, x) distribution that the shares are drawn from, up to 4;
  // 0: never.
  double mixup = 0;
  double cutmix = 0;

  double probability = 1;     // that a batch is mixed, if either is on
  double cutmix_share = 0.5;  // how often by cutmix, if both are on
};

// What was drawn for a batch.
struct Mix {
  double share = 1;  // of a picture in itself and in its label; 1: unmixed
  // What comes from the neighbour. Empty: mixup, picture = share * itself +
  // (1 - share) * neighbour.
  cv::Rect box = {};
};

// The numbers that decide a step's mix.
inline Random MixRandom(uint64_t seed, int64_t step) {
  constexpr uint64_t kPurpose = 1;  // four keys are nobody else's
  return Random({seed, static_cast<uint64_t>(step), 0, kPurpose});
}

// For pictures of `side` pixels. With cutmix the share is what the box leaves,
// to the pixel.
Mix DrawMix(const MixSpec& spec, int side, Random random);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_MIX_H_
