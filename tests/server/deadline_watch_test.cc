#include "server/deadline_watch.h"

#include <atomic>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

class DeadlineWatchTest : public ::testing::Test {
 protected:
  TimePoint Expire() {
    ++looks_;
    return next_.load();
  }

  SimulatedClock clock_;
  const TimePoint start_ = clock_.Now();
  std::atomic<int> looks_ = 0;
  std::atomic<TimePoint> next_ = kForever;  // what Expire finds
  DeadlineWatch watch_{[this] { return Expire(); }, &clock_};
};

TEST_F(DeadlineWatchTest, LooksWhenTheEarliestDeadlineComes) {
  watch_.Note(start_ + milliseconds(20));
  watch_.Note(start_ + milliseconds(10));
  clock_.AwaitWaiter(start_ + milliseconds(10));
  EXPECT_EQ(looks_, 0);
  clock_.Advance(milliseconds(10));
  clock_.AwaitWaiter(kForever);
  EXPECT_EQ(looks_, 1);
}

TEST_F(DeadlineWatchTest, LooksAgainAtTheDeadlineThatItFound) {
  next_ = start_ + milliseconds(30);
  watch_.Note(start_ + milliseconds(10));
  clock_.AwaitWaiter(start_ + milliseconds(10));
  clock_.Advance(milliseconds(10));
  clock_.AwaitWaiter(start_ + milliseconds(30));
  EXPECT_EQ(looks_, 1);
}

TEST_F(DeadlineWatchTest, WhatIsNotedAfterTheEndHasNoEffect) {
  watch_.Stop();
  watch_.Note(start_);
  EXPECT_EQ(looks_, 0);
}

TEST(CallEveryTest, CallsAfterEachPeriod) {
  SimulatedClock clock;
  const TimePoint start = clock.Now();
  std::atomic<int> calls = 0;
  const auto watch = CallEvery(
      milliseconds(10), [&calls] { ++calls; }, &clock);
  for (int i = 0; i < 3; ++i) {
    clock.AwaitWaiter(start + (i + 1) * milliseconds(10));
    EXPECT_EQ(calls, i);
    clock.Advance(milliseconds(10));
  }
}

}  // namespace
}  // namespace groupmamba
