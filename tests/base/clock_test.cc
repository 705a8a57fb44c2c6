#include "base/clock.h"

#include <thread>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

TEST(RealClockTest, WaitUntilAPastTimeReturns) {
  Mutex mutex;
  CondVar condition;
  MutexLock lock(&mutex);
  RealClock* clock = RealClock::Get();
  clock->WaitUntil(&condition, &mutex, clock->Now() - std::chrono::hours(1));
}

TEST(RealClockTest, WaitUntilForeverEndsWhenNotified) {
  Mutex mutex;
  CondVar condition;
  bool done = false;
  std::thread notifier([&] {
    MutexLock lock(&mutex);
    done = true;
    condition.NotifyAll();
  });
  {
    MutexLock lock(&mutex);
    while (!done) RealClock::Get()->WaitUntil(&condition, &mutex, kForever);
  }
  notifier.join();
}

TEST(ThreadCpuClockTest, CountsTheWorkOfThisThreadAlone) {
  const TimePoint start = ThreadCpuClock::Get()->Now();
  std::thread busy([] {
    const TimePoint begin = ThreadCpuClock::Get()->Now();
    while (ThreadCpuClock::Get()->Now() - begin <
           std::chrono::milliseconds(50)) {
    }
  });
  busy.join();
  EXPECT_LT(ThreadCpuClock::Get()->Now() - start,
            std::chrono::milliseconds(40));
}

TEST(SimulatedClockTest, AdvanceWakesTheWaiterWhoseTimeHasCome) {
  SimulatedClock clock;
  const TimePoint start = clock.Now();
  Mutex mutex;
  CondVar condition;
  TimePoint woke{};
  std::thread waiter([&] {
    MutexLock lock(&mutex);
    const TimePoint until = start + std::chrono::milliseconds(5);
    while (clock.Now() < until) clock.WaitUntil(&condition, &mutex, until);
    woke = clock.Now();
  });
  clock.AwaitWaiters(1);
  clock.Advance(std::chrono::milliseconds(4));
  clock.AwaitWaiters(1);
  clock.Advance(std::chrono::milliseconds(2));
  waiter.join();
  EXPECT_EQ(woke, start + std::chrono::milliseconds(6));
}

}  // namespace
}  // namespace groupmamba
