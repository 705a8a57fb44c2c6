// One batch through one engine; a batch that fails is split, so that a picture
// that the model cannot bear fails alone. Who is in the model can be ended from
// outside: a model that hangs holds its thread, not its requests.

#ifndef GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_
#define GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "model/engine.h"
#include "server/batching/slot_pool.h"
#include "server/task.h"

namespace groupmamba {

struct BatchOutcome {
  // Pictures that the one call answered; 0: there was not just one call, or it
  // failed.
  int answered = 0;
  // The engine said UNAVAILABLE: nothing will run on its device any more.
  bool device_lost = false;
};

// The tasks of the batch that an engine computes now. A task belongs to whoever
// has taken it: the engine's thread, or who ends it before. Thread-safe.
class RunningBatch {
 public:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  // By the engine's thread, round each call of the engine. Take gives them back
  // in their order, with null for those whom others have ended.
  void Put(Tasks tasks, TimePoint now);
  Tasks Take();

  // By others: those whose deadline has come, and all. Their slots stay here
  // until Take, since the engine reads them.
  Tasks TakeExpired(TimePoint now);
  Tasks TakeAll() { return TakeExpired(kForever); }

  // kForever when nobody is in the model.
  TimePoint EarliestDeadline() const;
  TimePoint since() const;

 private:
  mutable Mutex mutex_;
  Tasks tasks_ ABSL_GUARDED_BY(mutex_);
  TimePoint since_ ABSL_GUARDED_BY(mutex_) = kForever;
  std::vector<Slot> left_behind_ ABSL_GUARDED_BY(mutex_);
};

// Finishes every task: OK with its row of `classes` logits; or, after halving
// the batch down to single pictures, kModelFailed for those that fail alone. At
// most 2 * tasks.size() - 1 calls of the engine. Tasks that died meanwhile are
// left out. While the engine computes they are in `running`.
BatchOutcome RunBatch(Engine* engine, int classes, const Clock* clock,
                      RunningBatch* running,
                      std::vector<std::unique_ptr<Task>> tasks);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_RUN_BATCH_H_
