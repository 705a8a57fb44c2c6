// A batcher on a puppet's strings and a clock that stands still.

#ifndef GROUPMAMBA_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_
#define GROUPMAMBA_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/batching/batcher.h"
#include "server/batching/slot_pool.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {

using Pictures = std::vector<uint8_t>;

inline constexpr int kClasses = 3;
inline constexpr size_t kPictureBytes = 4;

// What became of one task.
struct Outcome {
  absl::Status status;
  float logit = 0;
  int batch_size = 0;
  Task::Times times;
};

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
                       .hang_after = hang_after_,
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
                 std::chrono::milliseconds(100));
    std::unique_ptr<Task> task = Expect(200);
    clock_.Advance(std::chrono::milliseconds(100));
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

  absl::StatusCode AwaitCode(uint8_t picture) {
    return Await(picture).status.code();
  }

  std::vector<BatchReport> reports() {
    MutexLock lock(&mutex_);
    return reports_;
  }

  SimulatedClock clock_;
  Puppet puppet_{kClasses};
  SlotPool slots_{kPictureBytes, 100};
  uint64_t sequence_ = 0;

  Duration hang_after_ = {};
  std::atomic<int> times_lost_ = 0;

  Mutex mutex_;
  CondVar changed_;
  std::map<uint8_t, Outcome> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::vector<BatchReport> reports_ ABSL_GUARDED_BY(mutex_);

  std::optional<Batcher> batcher_;  // last: its threads use the rest
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_
