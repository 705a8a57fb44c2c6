#include "server/decode_pool.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

// One thread, which is held in its first task.
class DecodePoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pool_.emplace(1, &clock_, [this](std::unique_ptr<Task> task) {
      MutexLock lock(&mutex_);
      order_.push_back(task->key.sequence);
      changed_.NotifyAll();
      while (held_) changed_.Wait(&mutex_);
    });
    Push({.sequence = 1});
    MutexLock lock(&mutex_);
    while (order_.empty()) changed_.Wait(&mutex_);
  }
  void TearDown() override { ReleaseAll(); }

  void Push(const QueueKey& key) {
    pool_->Push(std::make_unique<Task>(
        key, Picture{}, [](const Task&, const absl::Status&) {}));
  }

  void ReleaseAll() {
    MutexLock lock(&mutex_);
    held_ = false;
    changed_.NotifyAll();
  }

  std::vector<uint64_t> order() {
    MutexLock lock(&mutex_);
    return order_;
  }

  SimulatedClock clock_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<uint64_t> order_ ABSL_GUARDED_BY(mutex_);
  std::optional<DecodePool> pool_;  // last: its thread uses the rest
};

TEST_F(DecodePoolTest, TheMostUrgentIsDecodedFirst) {
  const TimePoint now = clock_.Now();
  Push({.deadline = now + milliseconds(20), .sequence = 2});
  Push({.deadline = now + milliseconds(10), .sequence = 3});
  Push({.priority = Priority::kHigh, .sequence = 4});
  ReleaseAll();
  pool_.reset();
  EXPECT_EQ(order(), std::vector<uint64_t>({1, 4, 3, 2}));
}

TEST_F(DecodePoolTest, WhoWaitsCanBeRemovedAndWhoIsDecodedCannot) {
  const QueueKey key{.sequence = 2};
  Push(key);
  EXPECT_EQ(pool_->Remove({.sequence = 1}), nullptr);
  EXPECT_NE(pool_->Remove(key), nullptr);
  EXPECT_EQ(pool_->Remove(key), nullptr);
  ReleaseAll();
  pool_.reset();
  EXPECT_EQ(order(), std::vector<uint64_t>({1}));
}

TEST_F(DecodePoolTest, WhoExpiresWhileWaitingCanBeTaken) {
  EXPECT_EQ(pool_->EarliestDeadline(), kForever);
  const TimePoint now = clock_.Now();
  Push({.deadline = now + milliseconds(10), .sequence = 2});
  Push({.deadline = now + milliseconds(20), .sequence = 3});
  clock_.Advance(milliseconds(10));
  const auto expired = pool_->TakeExpired();
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0]->key.sequence, 2u);
  EXPECT_EQ(pool_->EarliestDeadline(), now + milliseconds(20));
}

TEST_F(DecodePoolTest, PredictsTheWaitByWhatTheLatestTook) {
  // Nothing is known yet.
  EXPECT_EQ(pool_->PredictWait(), Duration(0));
  Push({.sequence = 2});
  clock_.Advance(milliseconds(100));
  ReleaseAll();
  while (order().size() < 2) {
  }
  {
    MutexLock lock(&mutex_);
    held_ = true;
  }
  Push({.sequence = 3});
  while (order().size() < 3) {
  }
  // A tenth of 100 ms, and nine tenths of it after one that took no time.
  EXPECT_EQ(pool_->PredictWait(), milliseconds(9));
  Push({.sequence = 4});
  EXPECT_EQ(pool_->PredictWait(), milliseconds(18));
}

}  // namespace
}  // namespace groupmamba
