// From stored pictures to what the network takes.

#ifndef GROUPMAMBA_MODEL_TRAINING_BATCH_H_
#define GROUPMAMBA_MODEL_TRAINING_BATCH_H_

#include <cstdint>

#include "absl/types/span.h"
#include "model/config.h"
#include "model/training/augment.h"
#include "model/training/learner.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// The pictures numbered `indices`, each changed as `seed`, `epoch` and its own
// number decide.
Batch TrainingBatch(const Pictures& pictures, absl::Span<const int32_t> indices,
                    const InputConfig& input, const AugmentSpec& augment,
                    uint64_t seed, int64_t epoch);

// Pictures `first` to `first + count - 1` as they are.
Batch TestBatch(const Pictures& pictures, int64_t first, int64_t count,
                const InputConfig& input);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_BATCH_H_
