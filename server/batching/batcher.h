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
#include "server/batching/forecast.h"
#include "server/batching/policy.h"
#include "server/batching/queue.h"
#include "server/batching/run_batch.h"
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

  // A call of an engine that takes longer hangs; 0: none does.
  Duration hang_after = {};

  // Called after each batch that an engine answered with UNAVAILABLE, its
  // device is lost, by the instance's thread; and for each call that hangs, by
  // who calls Expire. May be empty.
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

  // Loads the instances one after another and warms each up, with two batches
  // each of 1, 2, 4, ... and max_batch; the times of the second are the first
  // that the policy knows. Returns when all are ready, or the first error:
  // the factory's or an engine's; RESOURCE_EXHAUSTED, out of memory or threads.
  // Called once.
  absl::Status Start(const EngineFactory& factory);

  // Of the instances; empty before Start has returned OK.
  std::string device() const;
  std::string precision() const;

  // What awaits a request of this priority that comes now.
  Prediction Predict(Priority priority) const;

  // Says that a picture is on its way: each call is followed by one of Enqueue
  // or Unexpect. The policy may wait for it.
  void Expect(Priority priority);
  void Unexpect(Priority priority);

  // Takes the task, whose slot holds the picture. Answers it in time: with
  // logits, CANCELLED, DEADLINE_EXCEEDED, or INTERNAL when the model fails on
  // it.
  void Enqueue(std::unique_ptr<Task> task);

  // Ends the task with CANCELLED, or DEADLINE_EXCEEDED when that passed, if it
  // waits here. If it is yet to come, its flag `cancelled`, set before, ends it
  // then.
  void Cancel(const QueueKey& key);

  // Ends everyone here whose deadline has come, also in the model, and tells of
  // calls that hang. When to look again; kForever: nobody is here.
  TimePoint Expire();

  // Pictures that wait for the model now.
  int waiting() const;

  // How long free instances wait for company, a mean of the latest batches.
  Duration wait_for_company() const;

  // How long a batch of `size`, 1 to max_batch, keeps an instance busy.
  Duration BatchTime(int size) const;

  const BatcherOptions& options() const { return options_; }

  // No more company will come: what waits leaves without delay.
  void Drain();

  // Everyone who waits, now or later, ends with kDraining. Running batches
  // finish; a Start under way ends with an error after the batch that it runs.
  void Abort();

  // Those in the model end with kDraining, too; what it answers is dropped. Its
  // threads may hang for good: nothing but the process's end helps then.
  void GiveUp();

 private:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  struct Batch {
    Tasks tasks;  // empty: the thread may end
    DispatchReason reason = DispatchReason::kWait;
  };

  // What an instance has just done.
  struct Ran {
    int taken = 0;     // pictures of the batch
    int measured = 0;  // the size that `time` tells of; 0: none
    Duration time = {};
  };

  void RunInstance(int instance, const EngineFactory& factory);
  absl::StatusOr<std::unique_ptr<Engine>> LoadAndWarmUp(
      const EngineFactory& factory);
  absl::StatusOr<Duration> WarmUp(Engine* engine, int size) const;

  void Learn(int instance, const Ran& ran, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch NextBatch(int instance, const Ran& ran);
  QueueView View(TimePoint free) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch FormBatch(const Decision& decision, int instance, TimePoint free,
                  TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Ran RunBatch(int instance, Engine* engine, Batch batch);
  TimePoint WatchInstance(int instance);

  // For tasks that leave the queue without having been computed.
  void Leave(const Tasks& tasks, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const BatcherOptions options_;
  Clock* const clock_;

  mutable Mutex mutex_;
  CondVar changed_;
  TaskQueue queue_ ABSL_GUARDED_BY(mutex_);
  Forecast forecast_ ABSL_GUARDED_BY(mutex_);
  TimePoint last_ready_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReadyPicture> first_ ABSL_GUARDED_BY(mutex_);  // of the queue
  Duration wait_for_company_ ABSL_GUARDED_BY(mutex_) = {};
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;  // instances that wait
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int loaded_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status load_status_ ABSL_GUARDED_BY(mutex_);
  std::string device_ ABSL_GUARDED_BY(mutex_);
  std::string precision_ ABSL_GUARDED_BY(mutex_);
  // By instance, when the hanging call began that was told last.
  std::vector<TimePoint> told_ ABSL_GUARDED_BY(mutex_);

  std::vector<RunningBatch> running_;  // by instance

  std::vector<std::thread> threads_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_BATCHER_H_
