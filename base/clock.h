// Time, injected: code that waits or measures takes a Clock, tests bring their
// own (tests/testing/simulated_clock.h) and move it by hand.
//
// The time is monotonic; it says how long, never what o'clock. Deadlines
// therefore survive a jump of the wall clock.

#ifndef GROUPMAMBA_BASE_CLOCK_H_
#define GROUPMAMBA_BASE_CLOCK_H_

#include <chrono>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace groupmamba {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// The latest time there is: "no deadline".
inline constexpr TimePoint kForever = TimePoint::max();

inline double ToSeconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
inline double ToMilliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

// Cut to whole nanoseconds. What is beyond some 292 years does not fit.
inline Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds));
}
inline Duration FromMilliseconds(double milliseconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(milliseconds));
}

// A time that can be read. Thread-safe.
class TimeSource {
 public:
  virtual ~TimeSource() = default;

  virtual TimePoint Now() const = 0;
};

// A time that can be read and waited for. Thread-safe.
class Clock : public TimeSource {
 public:
  // Waits until `condition` is notified or the time is reached, whichever comes
  // first; may also wake without cause. `mutex` is held before and after.
  // kForever waits for the notification alone.
  virtual void WaitUntil(CondVar* condition, Mutex* mutex, TimePoint time)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;
};

// The machine's steady clock.
class RealClock : public Clock {
 public:
  // One for the process; never destroyed.
  static RealClock* Get();

  TimePoint Now() const override;
  void WaitUntil(CondVar* condition, Mutex* mutex, TimePoint time) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

// The processor time that the calling thread has used: for budgets of work that
// a busy machine must not shorten. Only the thread that read a time can compare
// it.
class ThreadCpuClock : public TimeSource {
 public:
  // One for the process; never destroyed.
  static const ThreadCpuClock* Get();

  TimePoint Now() const override;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_BASE_CLOCK_H_
