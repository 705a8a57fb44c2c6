#include "server/batching/batcher.h"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/batching/slot_pool.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using Pictures = std::vector<uint8_t>;

constexpr int kClasses = 3;
constexpr size_t kPictureBytes = 4;

// What became of one task.
struct Outcome {
  absl::Status status;
  float logit = 0;
  int batch_size = 0;
  Task::Times times;
};

// A batcher on a puppet's strings and a clock that stands still.
class BatcherTest : public ::testing::Test {
 protected:
  // A batch takes `batch_time` while warming up, and no time when it is held.
  void StartBatcher(BatchPolicy policy, int instances = 1,
                    Duration batch_time = {}) {
    puppet_.Take(&clock_, batch_time);
    batcher_.emplace(
        BatcherOptions{.policy = policy,
                       .instances = instances,
                       .classes = kClasses,
                       .picture_bytes = kPictureBytes,
                       .on_batch =
                           [this](const BatchReport& report) {
                             MutexLock lock(&mutex_);
                             reports_.push_back(report);
                           },
                       .on_device_lost = [this] { ++times_lost_; }},
        &clock_);
    ASSERT_TRUE(batcher_->Start([this] { return puppet_.MakeEngine(); }).ok());
    puppet_.Take(&clock_, Duration(0));
    puppet_.Watch();
  }

  // A batcher that waits for company if some is expected: a batch takes 100 ms,
  // and a picture is expected to be decoded within a few milliseconds.
  void StartPatientBatcher(Duration max_delay) {
    StartBatcher({.max_batch = 8, .max_delay = max_delay}, 1,
                 milliseconds(100));
    std::unique_ptr<Task> task = Expect(200);
    clock_.Advance(milliseconds(100));
    batcher_->Enqueue(std::move(task));
    Await(200);
    puppet_.AwaitCall();
  }

  // Said to come, not there yet.
  std::unique_ptr<Task> Expect(uint8_t picture, QueueKey key = {}) {
    key.sequence = ++sequence_;
    auto task = std::make_unique<Task>(
        key, Picture{},
        [this, picture](const Task& ended, const absl::Status& status) {
          MutexLock lock(&mutex_);
          EXPECT_FALSE(outcomes_.contains(picture)) << "answered twice";
          outcomes_[picture] = {status,
                                ended.logits.empty() ? -1.f : ended.logits[0],
                                ended.batch_size, ended.times};
          changed_.NotifyAll();
        });
    task->times.arrived = clock_.Now();
    task->slot = slots_.Acquire();
    task->slot.bytes()[0] = picture;
    batcher_->Expect(key.priority);
    return task;
  }

  // Comes; returns its key.
  QueueKey Enqueue(uint8_t picture, const QueueKey& key = {}) {
    std::unique_ptr<Task> task = Expect(picture, key);
    const QueueKey full_key = task->key;
    batcher_->Enqueue(std::move(task));
    return full_key;
  }

  Outcome Await(uint8_t picture) {
    MutexLock lock(&mutex_);
    while (!outcomes_.contains(picture)) changed_.Wait(&mutex_);
    return outcomes_[picture];
  }

  StatusCode AwaitCode(uint8_t picture) { return Await(picture).status.code(); }

  std::vector<BatchReport> reports() {
    MutexLock lock(&mutex_);
    return reports_;
  }

  SimulatedClock clock_;
  Puppet puppet_{kClasses};
  SlotPool slots_{kPictureBytes, 100};
  uint64_t sequence_ = 0;
  std::atomic<int> times_lost_ = 0;

  Mutex mutex_;
  CondVar changed_;
  std::map<uint8_t, Outcome> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::vector<BatchReport> reports_ ABSL_GUARDED_BY(mutex_);

  std::optional<Batcher> batcher_;  // last: its threads use the rest
};

TEST_F(BatcherTest, ALonePictureLeavesAtOnceWithItsOwnLogits) {
  StartBatcher({});
  Enqueue(7);
  const Outcome outcome = Await(7);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.logit, 7);
  EXPECT_EQ(outcome.batch_size, 1);
  EXPECT_EQ(outcome.times.launched, outcome.times.queued);
}

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
