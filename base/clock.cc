#include "base/clock.h"

#include <time.h>

namespace groupmamba {

RealClock* RealClock::Get() {
  static auto* clock = new RealClock;
  return clock;
}

TimePoint RealClock::Now() const { return std::chrono::steady_clock::now(); }

void RealClock::WaitUntil(CondVar* condition, Mutex* mutex, TimePoint time) {
  // wait_until adds to the time internally, which overflows at its maximum.
  if (time == kForever) {
    condition->Wait(mutex);
  } else {
    condition->WaitUntil(mutex, time);
  }
}

const ThreadCpuClock* ThreadCpuClock::Get() {
  static const auto* clock = new ThreadCpuClock;
  return clock;
}

TimePoint ThreadCpuClock::Now() const {
  timespec used = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);  // cannot fail on Linux
  return TimePoint(std::chrono::seconds(used.tv_sec) +
                   std::chrono::nanoseconds(used.tv_nsec));
}

}  // namespace groupmamba
