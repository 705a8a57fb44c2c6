// The threads that decode. Tasks are taken in the order of their arrival.

#ifndef GROUPMAMBA_SERVER_DECODE_POOL_H_
#define GROUPMAMBA_SERVER_DECODE_POOL_H_

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "server/task.h"

namespace groupmamba {

// Thread-safe. Its queue is bounded by the admission: a task has a ticket.
class DecodePool {
 public:
  // `work` is called on one of `threads` threads, at least 1, with each task.
  DecodePool(int threads, std::function<void(std::unique_ptr<Task>)> work);

  // Works off what was pushed, then ends the threads.
  ~DecodePool();

  DecodePool(const DecodePool&) = delete;
  DecodePool& operator=(const DecodePool&) = delete;

  void Push(std::unique_ptr<Task> task);

 private:
  void RunThread();

  const std::function<void(std::unique_ptr<Task>)> work_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::unique_ptr<Task>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_DECODE_POOL_H_
