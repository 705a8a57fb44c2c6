// One batch through one engine; a batch that fails is split, so that a picture
// that the model cannot bear fails alone.

#ifndef GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_
#define GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_

#include <memory>
#include <vector>

#include "base/clock.h"
#include "model/engine.h"
#include "server/task.h"

namespace groupmamba {

// Finishes every task: OK with its row of `classes` logits; or, after halving
// the batch down to single pictures, kModelFailed for those that fail alone. At
// most 2 * tasks.size() - 1 calls of the engine. Tasks that died meanwhile are
// left out. False: the engine's device is lost (UNAVAILABLE), for every task.
bool RunBatch(Engine* engine, int classes, const Clock* clock,
              std::vector<std::unique_ptr<Task>> tasks);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_
