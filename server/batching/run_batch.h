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

struct BatchOutcome {
  // Pictures that the one call answered; 0: there was not just one call, or it
  // failed.
  int answered = 0;
  // The engine said UNAVAILABLE: nothing will run on its device any more.
  bool device_lost = false;
};

// Finishes every task: OK with its row of `classes` logits; or, after halving
// the batch down to single pictures, kModelFailed for those that fail alone. At
// most 2 * tasks.size() - 1 calls of the engine. Tasks that died meanwhile are
// left out.
BatchOutcome RunBatch(Engine* engine, int classes, const Clock* clock,
                      std::vector<std::unique_ptr<Task>> tasks);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_
