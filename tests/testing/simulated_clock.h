// A clock that stands still until a test moves it.

#ifndef GROUPMAMBA_TESTS_TESTING_SIMULATED_CLOCK_H_
#define GROUPMAMBA_TESTS_TESTING_SIMULATED_CLOCK_H_

#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace groupmamba {

// Thread-safe. Waiters wake when the time reaches theirs, or when notified.
class SimulatedClock : public Clock {
 public:
  TimePoint Now() const override;
  void WaitUntil(CondVar* condition, Mutex* mutex, TimePoint time) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Moves the time on and wakes those whose time has come.
  void Advance(Duration by);

  // Blocks until `count` threads are inside WaitUntil: the way to know, without
  // a sleep, that a thread under test has gone to wait.
  void AwaitWaiters(int count);

  // Blocks until a thread waits for just this time.
  void AwaitWaiter(TimePoint time);

 private:
  struct Waiter {
    CondVar* condition;
    Mutex* mutex;
    TimePoint time;
  };

  mutable Mutex mutex_;
  CondVar changed_;
  TimePoint now_ ABSL_GUARDED_BY(mutex_){std::chrono::hours(1)};
  std::vector<Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_SIMULATED_CLOCK_H_
