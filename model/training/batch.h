// From loaded pictures to what the network takes.

#ifndef GROUPMAMBA_MODEL_TRAINING_BATCH_H_
#define GROUPMAMBA_MODEL_TRAINING_BATCH_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "model/config.h"
#include "model/training/loader.h"
#include "model/training/mix.h"

namespace groupmamba::training {

struct Batch {
  at::Tensor images;                   // [n, 3, side, side], fp32, normalised
  at::Tensor labels;                   // [n], int64; before mixing
  std::vector<int32_t> pictures = {};  // [n], numbers in the data's order
  double share = 1;                    // Mix::share
};

// Normalised as the engine does it, on `device`. To a GPU the pictures' bytes
// go from pinned memory, while this thread goes on.
Batch MakeBatch(const LoadedBatch& loaded, const InputConfig& input,
                at::Device device = at::kCPU);

// Mixes the pictures with their neighbours; the last of an odd number stays.
void ApplyMix(const Mix& mix, Batch* batch);

// [n, classes], where the labels are: rows that sum to one. Of label k, after
// mixing with share s: s smooth(k) + (1 - s) smooth(the neighbour's), where
// smooth gives 1 - smoothing to the class and spreads smoothing over all.
at::Tensor SoftTargets(const at::Tensor& labels, int64_t classes,
                       double smoothing, double share);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_BATCH_H_
