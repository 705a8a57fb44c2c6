// What the batcher waits for, and what it knows of its speed.

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/batching/batcher.h"
#include "tests/server/batching/batcher_fixture.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

TEST_F(BatcherTest, WaitsForExpectedCompanyNoLongerThanMaxDelay) {
  StartPatientBatcher(milliseconds(2));
  const TimePoint start = clock_.Now();
  std::unique_ptr<Task> late = Expect(2);
  Enqueue(1);
  clock_.AwaitWaiter(start + milliseconds(2));
  clock_.Advance(milliseconds(2));
  EXPECT_EQ(Await(1).times.launched, start + milliseconds(2));
  batcher_->Enqueue(std::move(late));
  EXPECT_EQ(Await(2).batch_size, 1);
}

TEST_F(BatcherTest, CompanyThatComesInTimeSharesTheBatch) {
  StartPatientBatcher(milliseconds(2));
  std::unique_ptr<Task> late = Expect(2);
  Enqueue(1);
  batcher_->Enqueue(std::move(late));
  EXPECT_EQ(Await(1).batch_size, 2);
  EXPECT_EQ(Await(2).batch_size, 2);
  EXPECT_EQ(Await(2).logit, 2);
}

TEST_F(BatcherTest, CompanyThatIsCalledOffEndsTheWait) {
  StartPatientBatcher(milliseconds(2));
  std::unique_ptr<Task> broken = Expect(2);
  Enqueue(1);
  clock_.AwaitWaiter(clock_.Now() + milliseconds(2));
  batcher_->Unexpect(Priority::kNormal);
  EXPECT_EQ(Await(1).batch_size, 1);
  Task::Finish(std::move(broken), absl::InvalidArgumentError("corrupt"));
}

TEST_F(BatcherTest, AWaitForCompanyEndsInTimeForTheDeadline) {
  StartPatientBatcher(milliseconds(50));
  std::unique_ptr<Task> never = Expect(2);
  const TimePoint start = clock_.Now();
  Enqueue(1, {.deadline = start + milliseconds(112)});
  clock_.AwaitWaiters(1);
  clock_.Advance(milliseconds(5));
  EXPECT_LE(Await(1).times.launched, start + milliseconds(5));
  batcher_->Unexpect(Priority::kNormal);
}

TEST_F(BatcherTest, LearnsHowLongABatchTakes) {
  StartBatcher({.max_batch = 1}, 1, milliseconds(100));
  EXPECT_NEAR(ToMilliseconds(batcher_->BatchTime(1)), 100, 1e-3);
  puppet_.Take(&clock_, milliseconds(50));
  for (uint8_t picture = 0; picture < 40; ++picture) {
    Enqueue(picture);
    Await(picture);
  }
  // The last one may not have been learned of yet.
  EXPECT_NEAR(ToMilliseconds(batcher_->BatchTime(1)), 50, 1);
}

TEST_F(BatcherTest, PredictsWhatAwaitsWhoComesNow) {
  StartBatcher({.max_batch = 2, .max_delay = Duration(0)}, 1,
               milliseconds(100));
  EXPECT_TRUE(batcher_->Predict(Priority::kNormal).idle);
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  for (uint8_t picture : {2, 3, 4}) Enqueue(picture);
  clock_.Advance(milliseconds(20));
  const Prediction prediction = batcher_->Predict(Priority::kNormal);
  EXPECT_FALSE(prediction.idle);
  EXPECT_NEAR(ToMilliseconds(prediction.start), 80 + 100, 1e-3);
  EXPECT_NEAR(ToMilliseconds(prediction.finish), 80 + 200, 1e-3);
  EXPECT_NEAR(ToMilliseconds(batcher_->Predict(Priority::kHigh).start), 80,
              1e-3);
  puppet_.ReleaseAll();
  Await(4);
}

TEST_F(BatcherTest, TheReceiptTellsQueueingFromWaitingForCompany) {
  StartPatientBatcher(milliseconds(15));
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  std::unique_ptr<Task> never = Expect(9);
  Enqueue(2);
  const TimePoint queued = clock_.Now();
  clock_.Advance(milliseconds(10));
  puppet_.Release();
  clock_.AwaitWaiter(queued + milliseconds(15));
  clock_.Advance(milliseconds(5));
  puppet_.ReleaseAll();
  const Task::Times times = Await(2).times;
  EXPECT_EQ(times.launched - times.queued, milliseconds(15));
  EXPECT_EQ(times.launched - times.free, milliseconds(5));
  EXPECT_EQ(batcher_->wait_for_company(), Duration(milliseconds(5)) / 10);
  batcher_->Unexpect(Priority::kNormal);
}

TEST_F(BatcherTest, DrainingSendsWhatWaitsForCompany) {
  StartPatientBatcher(milliseconds(5));
  std::unique_ptr<Task> never = Expect(2);
  const TimePoint start = clock_.Now();
  Enqueue(1);
  clock_.AwaitWaiter(start + milliseconds(5));
  batcher_->Drain();
  EXPECT_EQ(Await(1).times.launched, start);
  EXPECT_EQ(reports().at(1).reason, DispatchReason::kDrain);
  batcher_->Unexpect(Priority::kNormal);
}

}  // namespace
}  // namespace groupmamba
