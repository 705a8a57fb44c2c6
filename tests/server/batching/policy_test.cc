#include "server/batching/policy.h"

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

const TimePoint kNow{std::chrono::hours(1)};
constexpr BatchPolicy kPolicy{.max_batch = 4, .max_delay = milliseconds(2)};

// A queue whose oldest picture came at kNow, with company expected.
QueueView View(int waiting) {
  return {.waiting = waiting, .oldest = kNow, .expected = 1};
}

TEST(PolicyTest, AnEmptyQueueWaitsForAChange) {
  for (int expected : {0, 3}) {
    for (bool draining : {false, true}) {
      const Decision d =
          Decide(kNow, {.expected = expected, .draining = draining}, kPolicy);
      EXPECT_EQ(d.dispatch, 0);
      EXPECT_EQ(d.wait_until, kForever);
    }
  }
}

TEST(PolicyTest, WithoutAFreeInstanceNothingLeaves) {
  for (int waiting : {1, 4, 100}) {
    QueueView view = View(waiting);
    view.instance_free = false;
    view.draining = true;
    const Decision d = Decide(kNow + milliseconds(99), view, kPolicy);
    EXPECT_EQ(d.dispatch, 0) << waiting;
    EXPECT_EQ(d.wait_until, kForever) << waiting;
  }
}

TEST(PolicyTest, AFullBatchLeavesAtOnceAndIsNeverLargerThanMaxBatch) {
  for (int waiting : {4, 5, 100}) {
    const Decision d = Decide(kNow, View(waiting), kPolicy);
    EXPECT_EQ(d.dispatch, 4) << waiting;
    EXPECT_EQ(d.reason, DispatchReason::kFull) << waiting;
  }
}

TEST(PolicyTest, WithCompanyExpectedAPartialBatchWaitsForMaxDelay) {
  for (int waiting : {1, 2, 3}) {
    const Decision d = Decide(kNow, View(waiting), kPolicy);
    EXPECT_EQ(d.dispatch, 0) << waiting;
    EXPECT_EQ(d.wait_until, kNow + milliseconds(2)) << waiting;
  }
}

TEST(PolicyTest, TheDelayCountsFromTheOldestPicturesArrival) {
  const TimePoint almost = kNow + milliseconds(2) - Duration(1);
  EXPECT_EQ(Decide(almost, View(3), kPolicy).dispatch, 0);
  const Decision d = Decide(kNow + milliseconds(2), View(3), kPolicy);
  EXPECT_EQ(d.dispatch, 3);
  EXPECT_EQ(d.reason, DispatchReason::kWait);
}

TEST(PolicyTest, WithoutCompanyExpectedAPartialBatchLeavesAtOnce) {
  QueueView view = View(1);
  view.expected = 0;
  const Decision d = Decide(kNow, view, kPolicy);
  EXPECT_EQ(d.dispatch, 1);
  EXPECT_EQ(d.reason, DispatchReason::kWait);
}

TEST(PolicyTest, DrainingEndsTheWaitForCompany) {
  QueueView view = View(2);
  view.draining = true;
  const Decision d = Decide(kNow, view, kPolicy);
  EXPECT_EQ(d.dispatch, 2);
  EXPECT_EQ(d.reason, DispatchReason::kDrain);
}

TEST(PolicyTest, AFullBatchCountsAsFullEvenWhileDraining) {
  QueueView view = View(5);
  view.draining = true;
  EXPECT_EQ(Decide(kNow, view, kPolicy).reason, DispatchReason::kFull);
}

TEST(PolicyTest, NoDelayMeansNoWaiting) {
  const BatchPolicy impatient{.max_batch = 4, .max_delay = Duration(0)};
  EXPECT_EQ(Decide(kNow, View(1), impatient).dispatch, 1);
}

TEST(PolicyTest, BatchesOfOneNeverWait) {
  const BatchPolicy single{.max_batch = 1, .max_delay = milliseconds(2)};
  EXPECT_EQ(Decide(kNow, View(1), single).dispatch, 1);
}

// Whatever the queue: a decision is to start or to wait, never both; a batch
// fits the queue and the limit; a wait for company has an end.
TEST(PolicyTest, EveryDecisionIsSound) {
  for (int waiting = 0; waiting <= 9; ++waiting) {
    for (int expected = 0; expected <= 2; ++expected) {
      for (int bits = 0; bits < 4; ++bits) {
        for (int ms = 0; ms <= 3; ++ms) {
          const QueueView view{.waiting = waiting,
                               .oldest = kNow,
                               .expected = expected,
                               .draining = (bits & 1) != 0,
                               .instance_free = (bits & 2) != 0};
          const TimePoint now = kNow + milliseconds(ms);
          const Decision d = Decide(now, view, kPolicy);
          EXPECT_GE(d.dispatch, 0);
          EXPECT_LE(d.dispatch, std::min(waiting, kPolicy.max_batch));
          if (d.dispatch == 0 && view.instance_free && waiting > 0) {
            EXPECT_GT(d.wait_until, now);
            EXPECT_LE(d.wait_until, kNow + kPolicy.max_delay);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace groupmamba
