#include "server/decode_pool.h"

#include <utility>

namespace groupmamba {

DecodePool::DecodePool(int threads,
                       std::function<void(std::unique_ptr<Task>)> work)
    : work_(std::move(work)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { RunThread(); });
  }
}

DecodePool::~DecodePool() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void DecodePool::Push(std::unique_ptr<Task> task) {
  MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
  changed_.NotifyOne();
}

void DecodePool::RunThread() {
  while (true) {
    std::unique_ptr<Task> task;
    {
      MutexLock lock(&mutex_);
      while (tasks_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    work_(std::move(task));
  }
}

}  // namespace groupmamba
