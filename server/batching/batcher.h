// The threads that obey the batch policy: one an instance of the model. An
// instance forms its batch when it is free, not before (late binding), so that
// cancelling, deadlines and priorities count until the very launch.

#ifndef GROUPMAMBA_SERVER_BATCHING_BATCHER_H_
#define GROUPMAMBA_SERVER_BATCHING_BATCHER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "model/engine.h"
#include "server/batching/policy.h"
#include "server/batching/queue.h"
#include "server/task.h"

namespace groupmamba {

// What is known of a batch that starts.
struct BatchReport {
  int size = 0;
  DispatchReason reason = DispatchReason::kWait;
};

struct BatcherOptions {
  BatchPolicy policy = {};

  // Engines, each with a thread of its own; at least 1.
  int instances = 1;

  // Numbers a picture gets, and bytes it has.
  int classes = 0;
  size_t picture_bytes = 0;

  // Called when a batch starts, by the instance's thread. May be empty.
  std::function<void(const BatchReport&)> on_batch = {};

  // Called after each batch that an engine answered with UNAVAILABLE: its
  // device is lost. By the instance's thread. May be empty.
  std::function<void()> on_device_lost = {};
};

// The batcher of one model. Thread-safe.
class Batcher {
 public:
  // Makes an engine; called once an instance, on the thread that will use it.
  using EngineFactory =
      std::function<absl::StatusOr<std::unique_ptr<Engine>>()>;

  // `clock` must outlive the batcher.
  Batcher(BatcherOptions options, Clock* clock);

  // Answers everyone who waits, then ends the threads.
  ~Batcher();

  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Loads the instances one after another and warms each up, with one picture
  // and with a full batch. Returns when all are ready, or the first error.
  // Called once.
  absl::Status Start(const EngineFactory& factory);

  // Of the instances; empty before Start has returned OK.
  std::string device() const;
  std::string precision() const;

  // Says that a picture is on its way: each call is followed by one of Enqueue
  // or Unexpect. The policy may wait for it.
  void Expect();
  void Unexpect();

  // Takes the task, whose slot holds the picture. Answers it in time: with
  // logits, CANCELLED, DEADLINE_EXCEEDED, or INTERNAL when the model fails on
  // it.
  void Enqueue(std::unique_ptr<Task> task);

  // Ends the task with CANCELLED, or DEADLINE_EXCEEDED when that passed, if it
  // waits here. If it is yet to come, its flag `cancelled`, set before, ends it
  // then.
  void Cancel(const QueueKey& key);

  // Pictures that wait for the model now.
  int waiting() const;

  // No more company will come: what waits leaves without delay.
  void Drain();

  // Everyone who waits, now or later, ends with kDraining. Running batches
  // finish.
  void Abort();

 private:
  struct Batch {
    std::vector<std::unique_ptr<Task>> tasks;  // empty: the thread may end
    DispatchReason reason = DispatchReason::kWait;
  };

  void RunInstance(const EngineFactory& factory);
  absl::StatusOr<std::unique_ptr<Engine>> LoadAndWarmUp(
      const EngineFactory& factory) const;
  Batch NextBatch();
  Batch FormBatch(const Decision& decision, TimePoint free, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunBatch(Engine* engine, Batch batch);

  const BatcherOptions options_;
  Clock* const clock_;

  mutable Mutex mutex_;
  CondVar changed_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  int expected_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int loaded_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status load_status_ ABSL_GUARDED_BY(mutex_);
  std::string device_ ABSL_GUARDED_BY(mutex_);
  std::string precision_ ABSL_GUARDED_BY(mutex_);

  std::vector<std::thread> threads_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_BATCHER_H_
