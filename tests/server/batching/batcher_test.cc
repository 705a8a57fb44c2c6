#include "server/batching/batcher.h"

#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/server/batching/batcher_fixture.h"

namespace groupmamba {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;

TEST_F(BatcherTest, ALonePictureLeavesAtOnceWithItsOwnLogits) {
  StartBatcher({});
  Enqueue(7);
  const Outcome outcome = Await(7);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.logit, 7);
  EXPECT_EQ(outcome.batch_size, 1);
  EXPECT_EQ(outcome.times.launched, outcome.times.queued);
}

TEST_F(BatcherTest,
       BatchesAreFormedWhenTheInstanceIsFreeAndNeverExceedMaxBatch) {
  StartBatcher({.max_batch = 4});
  puppet_.Hold();
  Enqueue(1);
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({1}));
  for (uint8_t picture = 2; picture <= 11; ++picture) Enqueue(picture);
  puppet_.ReleaseAll();
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({2, 3, 4, 5}));
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({6, 7, 8, 9}));
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({10, 11}));
  EXPECT_TRUE(Await(11).status.ok());
  const auto all = reports();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].reason, DispatchReason::kFull);
  EXPECT_EQ(all[3].reason, DispatchReason::kWait);
  EXPECT_EQ(all[3].size, 2);
}

TEST_F(BatcherTest, TheEarliestDeadlineGoesFirstWithinAPriority) {
  StartBatcher({.max_batch = 2});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  const TimePoint now = clock_.Now();
  Enqueue(2, {.deadline = now + milliseconds(30)});
  Enqueue(3, {.deadline = now + milliseconds(10)});
  Enqueue(4, {.deadline = now + milliseconds(20)});
  Enqueue(5, {.priority = Priority::kHigh, .deadline = kForever});
  Enqueue(6, {.priority = Priority::kLow, .deadline = now + milliseconds(1)});
  puppet_.ReleaseAll();
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({5, 3}));
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({4, 2}));
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({6}));
  EXPECT_TRUE(Await(6).status.ok());
}

TEST_F(BatcherTest, ACancelledPictureLeavesTheQueueAtOnceAndIsNotComputed) {
  StartBatcher({});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  const QueueKey gone = Enqueue(2);
  Enqueue(3);
  batcher_->Cancel(gone);
  EXPECT_EQ(AwaitCode(2), StatusCode::kCancelled);
  puppet_.ReleaseAll();
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({3}));
  EXPECT_TRUE(Await(3).status.ok());
}

TEST_F(BatcherTest, APictureThatWasCancelledBeforeItCameIsNotComputed) {
  StartBatcher({});
  std::unique_ptr<Task> task = Expect(1);
  task->cancelled->store(true);
  batcher_->Cancel(task->key);
  batcher_->Enqueue(std::move(task));
  EXPECT_EQ(AwaitCode(1), StatusCode::kCancelled);
  EXPECT_EQ(puppet_.calls_left(), 0);
}

TEST_F(BatcherTest, CancellingWhatAlreadyRunsChangesNothing) {
  StartBatcher({});
  puppet_.Hold();
  const QueueKey key = Enqueue(1);
  puppet_.AwaitCall();
  batcher_->Cancel(key);
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).status.ok());
}

TEST_F(BatcherTest, WhoExpiresWhileTheInstanceIsBusyIsNotComputed) {
  StartBatcher({});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  const TimePoint now = clock_.Now();
  Enqueue(2, {.deadline = now + milliseconds(5)});
  Enqueue(3, {.deadline = now + milliseconds(6)});
  clock_.Advance(milliseconds(5));
  puppet_.ReleaseAll();
  EXPECT_EQ(AwaitCode(2), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({3}));
  EXPECT_TRUE(Await(3).status.ok());
}

TEST_F(BatcherTest, WhoExpiresWhileTheInstanceIsBusyIsAnsweredWhenAsked) {
  StartBatcher({});
  EXPECT_EQ(batcher_->Expire(), kForever);
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  const TimePoint now = clock_.Now();
  Enqueue(2, {.deadline = now + milliseconds(5)});
  Enqueue(3, {.deadline = now + milliseconds(6)});
  clock_.Advance(milliseconds(5));
  EXPECT_EQ(batcher_->Expire(), now + milliseconds(6));
  EXPECT_EQ(AwaitCode(2), StatusCode::kDeadlineExceeded);
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(3).status.ok());
}

TEST_F(BatcherTest, WhoCannotBeInTimeIsGivenUpForTheOthersSake) {
  StartBatcher({.max_batch = 2, .max_delay = Duration(0)}, 1,
               milliseconds(100));
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  Enqueue(2, {.deadline = clock_.Now() + milliseconds(50)});
  Enqueue(3);
  puppet_.ReleaseAll();
  EXPECT_EQ(AwaitCode(2), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(puppet_.AwaitCall(), Pictures({3}));
  EXPECT_TRUE(Await(3).status.ok());
}

TEST_F(BatcherTest, WhoIsExpiredOnComingIsNotQueued) {
  StartBatcher({});
  Enqueue(1, {.deadline = clock_.Now()});
  EXPECT_EQ(AwaitCode(1), StatusCode::kDeadlineExceeded);
}

TEST_F(BatcherTest, OnePictureThatTheModelCannotBearFailsAlone) {
  StartBatcher({.max_batch = 4});
  puppet_.Poison(4);
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  for (uint8_t picture : {2, 3, 4, 5}) Enqueue(picture);
  puppet_.ReleaseAll();
  for (uint8_t picture : {2, 3, 5}) {
    EXPECT_TRUE(Await(picture).status.ok()) << int{picture};
    EXPECT_EQ(Await(picture).logit, picture);
  }
  const Outcome poisoned = Await(4);
  EXPECT_EQ(poisoned.status, Error(Reason::kModelFailed));
}

TEST_F(BatcherTest, AModelThatAlwaysFailsCostsABoundedNumberOfCalls) {
  StartBatcher({.max_batch = 8});
  for (uint8_t picture = 2; picture < 10; ++picture) puppet_.Poison(picture);
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  for (uint8_t picture = 2; picture < 10; ++picture) Enqueue(picture);
  puppet_.ReleaseAll();
  for (uint8_t picture = 2; picture < 10; ++picture) {
    EXPECT_EQ(AwaitCode(picture), StatusCode::kInternal);
  }
  EXPECT_EQ(puppet_.calls_left(), 15);
}

TEST_F(BatcherTest, ALostDeviceIsToldAndItsBatchIsNotTriedInParts) {
  StartBatcher({.max_batch = 4});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  for (uint8_t picture : {2, 3, 4, 5}) Enqueue(picture);
  puppet_.LoseDevice();
  puppet_.ReleaseAll();
  for (uint8_t picture : {1, 2, 3, 4, 5}) {
    EXPECT_EQ(Await(picture).status, Error(Reason::kModelFailed));
  }
  batcher_.reset();
  EXPECT_EQ(puppet_.calls_left(), 1);
  EXPECT_EQ(times_lost_, 2);
}

TEST_F(BatcherTest, TwoInstancesRunTwoBatchesAtATime) {
  StartBatcher({.max_batch = 1}, 2);
  puppet_.Hold();
  Enqueue(1);
  Enqueue(2);
  puppet_.AwaitCall();
  puppet_.AwaitCall();
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).status.ok());
  EXPECT_TRUE(Await(2).status.ok());
}

TEST_F(BatcherTest, TheEndAnswersEveryoneWhoWaits) {
  StartBatcher({.max_batch = 2});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  for (uint8_t picture = 2; picture < 7; ++picture) Enqueue(picture);
  puppet_.ReleaseAll();
  batcher_.reset();
  for (uint8_t picture = 1; picture < 7; ++picture) {
    EXPECT_TRUE(Await(picture).status.ok()) << int{picture};
  }
}

TEST_F(BatcherTest, AbortingSparesOnlyTheBatchThatRuns) {
  StartBatcher({});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  Enqueue(2);
  batcher_->Abort();
  EXPECT_EQ(AwaitCode(2), StatusCode::kUnavailable);
  Enqueue(3);
  EXPECT_EQ(AwaitCode(3), StatusCode::kUnavailable);
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).status.ok());
}

TEST_F(BatcherTest, WhoExpiresInTheModelIsAnsweredAndKeepsTheSlotUntilItsEnd) {
  StartBatcher({.max_batch = 4, .max_delay = Duration(0)});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  const TimePoint deadline = clock_.Now() + std::chrono::seconds(1);
  Enqueue(2, {.deadline = deadline});
  Enqueue(3);
  puppet_.Release();
  EXPECT_EQ(puppet_.AwaitCall(), (Pictures{2, 3}));
  EXPECT_EQ(batcher_->Expire(), deadline);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(batcher_->Expire(), kForever);
  EXPECT_EQ(AwaitCode(2), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(slots_.in_use(), 2) << "the model still reads both";
  puppet_.ReleaseAll();
  EXPECT_EQ(Await(3).logit, 3);
  while (slots_.in_use() > 0) std::this_thread::yield();
}

TEST_F(BatcherTest, GivingUpEndsWhoIsInTheModel) {
  StartBatcher({.max_batch = 4, .max_delay = Duration(0)});
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  batcher_->GiveUp();
  EXPECT_EQ(AwaitCode(1), absl::StatusCode::kUnavailable);
  puppet_.ReleaseAll();
}

TEST_F(BatcherTest, ACallThatHangsIsToldOnce) {
  hang_after_ = std::chrono::seconds(5);
  StartBatcher({.max_batch = 4, .max_delay = Duration(0)});
  EXPECT_EQ(batcher_->Expire(), kForever);
  puppet_.Hold();
  Enqueue(1);
  puppet_.AwaitCall();
  EXPECT_EQ(batcher_->Expire(), clock_.Now() + hang_after_);
  EXPECT_EQ(times_lost_, 0);
  clock_.Advance(hang_after_);
  EXPECT_EQ(batcher_->Expire(), kForever);
  EXPECT_EQ(batcher_->Expire(), kForever);
  EXPECT_EQ(times_lost_, 1);
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).status.ok()) << "late, but an answer";
}

TEST_F(BatcherTest, ATaskThatIsDroppedIsStillAnswered) {
  StartBatcher({});
  Expect(1).reset();
  batcher_->Unexpect(Priority::kNormal);
  EXPECT_EQ(AwaitCode(1), StatusCode::kInternal);
}

TEST_F(BatcherTest, StartReportsWhatTheFactoryReports) {
  Batcher batcher({.classes = kClasses, .picture_bytes = kPictureBytes},
                  &clock_);
  EXPECT_EQ(batcher.Start([] { return absl::UnavailableError("no GPU"); }),
            absl::UnavailableError("no GPU"));
}

TEST_F(BatcherTest, StartFailsWhenTheModelFailsOnTheWarmUp) {
  puppet_.Poison(128);
  Batcher batcher({.classes = kClasses, .picture_bytes = kPictureBytes},
                  &clock_);
  EXPECT_EQ(batcher.Start([this] { return puppet_.MakeEngine(); }).code(),
            StatusCode::kInternal);
}

TEST_F(BatcherTest, WarmingUpRunsTwoBatchesOfEachSizeUpToAFullOne) {
  puppet_.Watch();
  StartBatcher({.max_batch = 3});
  for (size_t size : {1, 1, 2, 2, 3, 3}) {
    EXPECT_EQ(puppet_.AwaitCall(), Pictures(size, 128));
  }
  EXPECT_EQ(batcher_->device(), "puppet");
}

}  // namespace
}  // namespace groupmamba
