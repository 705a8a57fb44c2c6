#include "base/clock.h"

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

}  // namespace groupmamba
