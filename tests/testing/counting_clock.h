// A time that moves on by a fixed step whenever it is read.

#ifndef GROUPMAMBA_TESTS_TESTING_COUNTING_CLOCK_H_
#define GROUPMAMBA_TESTS_TESTING_COUNTING_CLOCK_H_

#include "base/clock.h"

namespace groupmamba {

// For one thread.
class CountingClock : public TimeSource {
 public:
  explicit CountingClock(Duration step) : step_(step) {}

  TimePoint Now() const override { return now_ += step_; }

 private:
  const Duration step_;
  mutable TimePoint now_{};
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_COUNTING_CLOCK_H_
