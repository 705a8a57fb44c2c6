#include "server/batching/policy.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

const TimePoint kNow{std::chrono::hours(1)};
constexpr BatchPolicy kPolicy{.max_batch = 4, .max_delay = milliseconds(50)};

ServiceTimes Times(int one_ms, int four_ms) {
  ServiceTimes times(4);
  times.Seed(1, milliseconds(one_ms));
  times.Seed(4, milliseconds(four_ms));
  return times;
}
// As on a GPU that is hardly busy, on one that is, and on a processor.
const ServiceTimes kFlat = Times(12, 12);
const ServiceTimes kAffine = Times(12, 18);  // 10 + 2n
const ServiceTimes kLinear = Times(10, 40);

// Pictures that became ready at kNow, with time enough.
std::vector<ReadyPicture> Ready(int count) {
  return std::vector<ReadyPicture>(count, {.arrived = kNow, .ready = kNow});
}

// Company is expected in a moment.
QueueView View(const std::vector<ReadyPicture>& queue) {
  return {.first = absl::MakeConstSpan(queue).subspan(0, 4),
          .waiting = static_cast<int>(queue.size()),
          .unchanged_since = kNow,
          .gap = milliseconds(1)};
}

Decision DecideFor(const std::vector<ReadyPicture>& queue,
                   const ServiceTimes& times = kFlat,
                   const BatchPolicy& policy = kPolicy, TimePoint now = kNow) {
  return Decide(now, View(queue), policy, times);
}

TEST(PolicyTest, AnEmptyQueueWaitsForAChange) {
  for (bool draining : {false, true}) {
    QueueView view = View({});
    view.draining = draining;
    const Decision d = Decide(kNow, view, kPolicy, kFlat);
    EXPECT_EQ(d.dispatch, 0);
    EXPECT_EQ(d.give_up, 0);
    EXPECT_EQ(d.wait_until, kForever);
  }
}

TEST(PolicyTest, AFullBatchLeavesAtOnceAndIsNeverLargerThanMaxBatch) {
  for (int waiting : {4, 5, 100}) {
    const Decision d = DecideFor(Ready(waiting));
    EXPECT_EQ(d.dispatch, 4) << waiting;
    EXPECT_EQ(d.reason, DispatchReason::kFull) << waiting;
  }
}

TEST(PolicyTest, WithoutCompanyToExpectWhatIsReadyLeavesAtOnce) {
  for (int waiting : {1, 2, 3}) {
    const std::vector<ReadyPicture> queue = Ready(waiting);
    QueueView view = View(queue);
    view.gap = Forecast::kNever;
    const Decision d = Decide(kNow, view, kPolicy, kFlat);
    EXPECT_EQ(d.dispatch, waiting);
    EXPECT_EQ(d.reason, DispatchReason::kWait);
  }
}

// One alone and a flat batch time of 12 ms: a gap of less than half of it pays,
// with two waiting less than a third.
TEST(PolicyTest, WaitsOnlyForAGapThatIsShorterThanWhatItSaves) {
  for (int waiting : {1, 2, 3}) {
    const std::vector<ReadyPicture> queue = Ready(waiting);
    QueueView view = View(queue);
    const Duration pays = milliseconds(12) / (waiting + 1);
    view.gap = pays - milliseconds(1);
    EXPECT_EQ(Decide(kNow, view, kPolicy, kFlat).dispatch, 0) << waiting;
    view.gap = pays + milliseconds(1);
    EXPECT_EQ(Decide(kNow, view, kPolicy, kFlat).dispatch, waiting);
  }
}

// T(n) = 10 + 2n: 12 / 2 - 2 = 4 with one waiting, 12 / 3 - 2 = 2 with two.
TEST(PolicyTest, WhatALargerBatchTakesLongerCountsAgainstWaiting) {
  const std::vector<ReadyPicture> one = Ready(1);
  QueueView view = View(one);
  view.gap = milliseconds(3);
  EXPECT_EQ(Decide(kNow, view, kPolicy, kAffine).dispatch, 0);
  view.gap = milliseconds(5);
  EXPECT_EQ(Decide(kNow, view, kPolicy, kAffine).dispatch, 1);
  const std::vector<ReadyPicture> two = Ready(2);
  view = View(two);
  view.gap = milliseconds(3);
  EXPECT_EQ(Decide(kNow, view, kPolicy, kAffine).dispatch, 2);
}

TEST(PolicyTest, WhereABatchTakesAsLongAsItsPicturesNobodyWaits) {
  EXPECT_EQ(DecideFor(Ready(1), kLinear).dispatch, 1);
}

TEST(PolicyTest, WhereABatchTakesAsLongAsItsPicturesTheyGoOneByOne) {
  const Decision d = DecideFor(Ready(9), kLinear);
  EXPECT_EQ(d.dispatch, 1);
  EXPECT_EQ(d.reason, DispatchReason::kWait);
}

TEST(PolicyTest, AWaitInVainEndsAfterThreeGaps) {
  const std::vector<ReadyPicture> queue = Ready(1);
  EXPECT_EQ(DecideFor(queue).wait_until, kNow + milliseconds(3));
  EXPECT_EQ(DecideFor(queue, kFlat, kPolicy, kNow + milliseconds(3)).dispatch,
            1);
}

TEST(PolicyTest, TheLimitOfTheDelayCountsFromTheOldestPicture) {
  const BatchPolicy policy{.max_batch = 4, .max_delay = milliseconds(2)};
  std::vector<ReadyPicture> queue = Ready(2);
  queue[1].ready = kNow - milliseconds(1);
  EXPECT_EQ(DecideFor(queue, kFlat, policy).wait_until, kNow + milliseconds(1));
  queue[1].ready = kNow - milliseconds(2);
  EXPECT_EQ(DecideFor(queue, kFlat, policy).dispatch, 2);
}

TEST(PolicyTest, NoDelayMeansNoWaiting) {
  const BatchPolicy policy{.max_batch = 4, .max_delay = Duration(0)};
  EXPECT_EQ(DecideFor(Ready(1), kFlat, policy).dispatch, 1);
}

TEST(PolicyTest, AWaitEndsInTimeForTheDeadline) {
  std::vector<ReadyPicture> queue = Ready(1);
  // 12 ms and 10 % of caution.
  queue[0].deadline = kNow + milliseconds(13) + std::chrono::microseconds(700);
  EXPECT_EQ(std::chrono::duration_cast<std::chrono::microseconds>(
                DecideFor(queue).wait_until - kNow)
                .count(),
            500);
}

TEST(PolicyTest, DrainingEndsTheWaitForCompany) {
  const std::vector<ReadyPicture> queue = Ready(2);
  QueueView view = View(queue);
  view.draining = true;
  const Decision d = Decide(kNow, view, kPolicy, kFlat);
  EXPECT_EQ(d.dispatch, 2);
  EXPECT_EQ(d.reason, DispatchReason::kDrain);
}

TEST(PolicyTest, AFullBatchCountsAsFullEvenWhileDraining) {
  const std::vector<ReadyPicture> queue = Ready(5);
  QueueView view = View(queue);
  view.draining = true;
  EXPECT_EQ(Decide(kNow, view, kPolicy, kFlat).reason, DispatchReason::kFull);
}

TEST(PolicyTest, ABatchIsOnlyAsLargeAsItsDeadlinesAllow) {
  std::vector<ReadyPicture> queue = Ready(4);
  queue[0].deadline = kNow + milliseconds(15);  // T(2) = 14, T(3) = 16
  EXPECT_EQ(DecideFor(queue, kAffine).dispatch, 2);
  queue[0].deadline = kNow + milliseconds(100);
  queue[3].deadline = kNow + milliseconds(17);  // T(4) = 18
  EXPECT_EQ(DecideFor(queue, kAffine).dispatch, 3);
}

TEST(PolicyTest, ABacklogIsNotHeldUpForOneDeadlinesSake) {
  std::vector<ReadyPicture> queue = Ready(9);
  queue[0].deadline = kNow + milliseconds(13);  // alone only
  // One alone is 1/12 a millisecond, four are 4/18; two, 2/14, are over half.
  EXPECT_EQ(DecideFor(queue, kAffine).dispatch, 4);
  queue[0].deadline = kNow + milliseconds(15);
  EXPECT_EQ(DecideFor(queue, kAffine).dispatch, 2);
}

TEST(PolicyTest, WhoCannotBeInTimeEvenAloneIsGivenUpWhileOthersWait) {
  std::vector<ReadyPicture> queue = Ready(2);
  queue[0].deadline = kNow + milliseconds(11);
  const Decision d = DecideFor(queue);
  EXPECT_EQ(d.give_up, 1);
  EXPECT_EQ(d.dispatch, 0);
}

TEST(PolicyTest, WhoCannotBeInTimeIsTriedWhenNobodyElseWaits) {
  std::vector<ReadyPicture> queue = Ready(1);
  queue[0].deadline = kNow + milliseconds(1);
  EXPECT_EQ(DecideFor(queue).dispatch, 1);
}

TEST(PolicyTest, WhoCannotBeInTimeDoesNotMakeTheBatchSmaller) {
  std::vector<ReadyPicture> queue = Ready(4);
  queue[2].deadline = kNow + milliseconds(1);
  EXPECT_EQ(DecideFor(queue, kAffine).dispatch, 4);
}

TEST(PolicyTest, WithATargetLargerBatchesAreWorthWaitingFor) {
  BatchPolicy policy{.max_batch = 4, .max_delay = milliseconds(1000)};
  const std::vector<ReadyPicture> queue = Ready(1);
  QueueView view = View(queue);
  view.gap = milliseconds(10);  // too long for the mean's sake
  EXPECT_EQ(Decide(kNow, view, policy, kFlat).dispatch, 1);
  policy.slo = milliseconds(100);
  EXPECT_EQ(Decide(kNow, view, policy, kFlat).wait_until,
            kNow + milliseconds(30));
  view.gap = milliseconds(90);  // too long for the target
  EXPECT_EQ(Decide(kNow, view, policy, kFlat).dispatch, 1);
}

TEST(PolicyTest, AWaitEndsInTimeForTheTarget) {
  BatchPolicy policy{
      .max_batch = 4, .max_delay = milliseconds(1000), .slo = milliseconds(20)};
  std::vector<ReadyPicture> queue = Ready(1);
  QueueView view = View(queue);
  view.gap = milliseconds(5);
  const Duration wait = Decide(kNow, view, policy, kFlat).wait_until - kNow;
  EXPECT_NEAR(ToMilliseconds(wait), 20 - 12 * 1.1, 1e-3);
}

TEST(PolicyTest, ATargetChangesNothingWhereALargerBatchGainsNothing) {
  const BatchPolicy policy{.max_batch = 4, .slo = milliseconds(1000)};
  EXPECT_EQ(DecideFor(Ready(1), kLinear, policy).dispatch, 1);
}

TEST(PolicyTest, ABatchKeepsTheTargetWhileItCan) {
  const BatchPolicy policy{.max_batch = 4, .slo = milliseconds(20)};
  std::vector<ReadyPicture> queue = Ready(4);
  queue[0].arrived = kNow - milliseconds(5);  // T(2) = 14, T(3) = 16
  EXPECT_EQ(DecideFor(queue, kAffine, policy).dispatch, 2);
  queue[0].arrived = kNow - milliseconds(30);  // missed it already
  EXPECT_EQ(DecideFor(queue, kAffine, policy).dispatch, 4);
}

// Whatever the queue: a decision is to start, to give up or to wait, and just
// one of these; a batch fits the queue and the limit; a wait has an end.
TEST(PolicyTest, EveryDecisionIsSound) {
  for (const ServiceTimes* times : {&kFlat, &kAffine, &kLinear}) {
    for (int waiting = 0; waiting <= 9; ++waiting) {
      for (int gap : {0, 2, 30}) {
        for (int deadline : {1, 13, 15, 1000}) {
          for (int slo : {0, 20}) {
            for (int ms = 0; ms <= 3; ++ms) {
              std::vector<ReadyPicture> queue = Ready(waiting);
              if (waiting > 0) {
                queue[waiting / 2].deadline = kNow + milliseconds(deadline);
              }
              QueueView view = View(queue);
              view.gap = milliseconds(gap);
              const BatchPolicy policy{.max_batch = 4,
                                       .slo = milliseconds(slo)};
              const TimePoint now = kNow + milliseconds(ms);
              const Decision d = Decide(now, view, policy, *times);
              EXPECT_GE(d.dispatch, 0);
              EXPECT_LE(d.dispatch, std::min(waiting, 4));
              EXPECT_TRUE(d.dispatch == 0 || d.give_up == 0);
              EXPECT_LT(d.give_up, std::max(waiting, 1));
              if (d.dispatch == 0 && d.give_up == 0 && waiting > 0) {
                EXPECT_GT(d.wait_until, now);
                EXPECT_LE(d.wait_until, kNow + policy.max_delay);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace groupmamba
