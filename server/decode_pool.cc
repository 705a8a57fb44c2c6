#include "server/decode_pool.h"

#include <utility>

namespace groupmamba {
namespace {

// The mean is of some ten tasks.
constexpr int kMemory = 10;

}  // namespace

DecodePool::DecodePool(int threads, Clock* clock,
                       std::function<void(std::unique_ptr<Task>)> work)
    : work_(std::move(work)), clock_(clock), thread_count_(threads) {
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
  {
    MutexLock lock(&mutex_);
    tasks_.Push(std::move(task));
    // The others look for themselves when they are done.
    if (working_ == thread_count_) return;
  }
  changed_.NotifyOne();
}

std::unique_ptr<Task> DecodePool::Remove(const QueueKey& key) {
  MutexLock lock(&mutex_);
  return tasks_.Remove(key);
}

std::vector<std::unique_ptr<Task>> DecodePool::TakeExpired() {
  MutexLock lock(&mutex_);
  return tasks_.TakeExpired(clock_->Now());
}

TimePoint DecodePool::EarliestDeadline() const {
  MutexLock lock(&mutex_);
  return tasks_.EarliestDeadline();
}

Duration DecodePool::PredictWait() const {
  MutexLock lock(&mutex_);
  if (tasks_.size() + working_ < thread_count_) return Duration::zero();
  return mean_ * (tasks_.size() / thread_count_ + 1);
}

void DecodePool::RunThread() {
  Duration took = {};
  bool worked = false;
  while (true) {
    std::unique_ptr<Task> task;
    {
      MutexLock lock(&mutex_);
      if (worked) {
        --working_;
        mean_ += (took - mean_) / kMemory;
      }
      while (tasks_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.Take(1).front());
      ++working_;
    }
    const TimePoint from = clock_->Now();
    work_(std::move(task));
    took = clock_->Now() - from;
    worked = true;
  }
}

}  // namespace groupmamba
