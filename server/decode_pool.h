// The threads that decode. Tasks are taken in the order of TaskQueue: by
// priority, then by deadline, then by arrival.

#ifndef GROUPMAMBA_SERVER_DECODE_POOL_H_
#define GROUPMAMBA_SERVER_DECODE_POOL_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/batching/queue.h"
#include "server/task.h"

namespace groupmamba {

// Thread-safe. Its queue is bounded by the admission: a task has a ticket.
class DecodePool {
 public:
  // `work` is called on one of `threads` threads, at least 1, with each task.
  DecodePool(int threads, Clock* clock,
             std::function<void(std::unique_ptr<Task>)> work);

  // Works off what was pushed, then ends the threads.
  ~DecodePool();

  DecodePool(const DecodePool&) = delete;
  DecodePool& operator=(const DecodePool&) = delete;

  void Push(std::unique_ptr<Task> task);

  // The task with that key if it waits here, else null.
  std::unique_ptr<Task> Remove(const QueueKey& key);

  // Everyone who waits here and whose deadline has come.
  std::vector<std::unique_ptr<Task>> TakeExpired();

  // Of those who wait here; kForever when nobody does.
  TimePoint EarliestDeadline() const;

  // Until a picture that comes now would be decoded, going by what the latest
  // took. 0: a thread is free.
  Duration PredictWait() const;

 private:
  void RunThread();

  const std::function<void(std::unique_ptr<Task>)> work_;
  Clock* const clock_;
  const int thread_count_;

  mutable Mutex mutex_;
  CondVar changed_;
  TaskQueue tasks_ ABSL_GUARDED_BY(mutex_);
  int working_ ABSL_GUARDED_BY(mutex_) = 0;
  Duration mean_ ABSL_GUARDED_BY(mutex_) = {};  // of a task, of late
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_DECODE_POOL_H_
