#include "tests/testing/simulated_clock.h"

#include <algorithm>

namespace groupmamba {

TimePoint SimulatedClock::Now() const {
  MutexLock lock(&mutex_);
  return now_;
}

void SimulatedClock::WaitUntil(CondVar* condition, Mutex* mutex,
                               TimePoint time) {
  Waiter self{condition, mutex, time};
  {
    MutexLock lock(&mutex_);
    if (now_ >= time) return;
    waiters_.push_back(&self);
    changed_.NotifyAll();
  }
  // The caller's mutex is held from here to the wait, and Advance() takes it
  // before it notifies: a wake-up cannot fall between.
  condition->Wait(mutex);
  MutexLock lock(&mutex_);
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &self));
}

void SimulatedClock::Advance(Duration by) {
  std::vector<Waiter> due;
  {
    MutexLock lock(&mutex_);
    now_ += by;
    for (const Waiter* waiter : waiters_) {
      if (waiter->time <= now_) due.push_back(*waiter);
    }
  }
  for (const Waiter& waiter : due) {
    MutexLock lock(waiter.mutex);
    waiter.condition->NotifyAll();
  }
}

void SimulatedClock::AwaitWaiters(int count) {
  MutexLock lock(&mutex_);
  while (static_cast<int>(waiters_.size()) < count) changed_.Wait(&mutex_);
}

void SimulatedClock::AwaitWaiter(TimePoint time) {
  MutexLock lock(&mutex_);
  while (std::none_of(waiters_.begin(), waiters_.end(),
                      [&](const Waiter* w) { return w->time == time; })) {
    changed_.Wait(&mutex_);
  }
}

}  // namespace groupmamba
