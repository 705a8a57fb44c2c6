// A load test's memory does not grow with its calls.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>

#include "base/clock.h"
#include "client/load/runner.h"

namespace groupmamba::client {
namespace {

// Time that jumps to whatever is waited for, and on by 100 ns with every
// reading.
class JumpingClock : public Clock {
 public:
  TimePoint Now() const override { return now_ += Duration(100); }
  void WaitUntil(CondVar*, Mutex*, TimePoint time) override { now_ = time; }

 private:
  mutable TimePoint now_{};
};

// Answers at once, with a receipt; a thousandth fails.
class AnsweringTarget : public LoadTarget {
 public:
  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override {
    LoadAnswer answer;
    if (index % 1000 == 0) answer.code = absl::StatusCode::kUnavailable;
    answer.version = 1;
    answer.server_total = std::chrono::microseconds(index % 10);
    done(answer);
  }
};

TEST(LoadMemoryTest, TenMillionCallsTakeAtMost200Megabytes) {
  JumpingClock clock;
  AnsweringTarget target;
  LoadPlan plan;
  plan.open = true;
  plan.rate = 10000;
  plan.duration = std::chrono::seconds(1000);
  const LoadResult result = RunLoad(plan, &target, &clock);
  EXPECT_NEAR(static_cast<double>(result.planned), 1e7, 2e4);
  EXPECT_EQ(result.ok() + result.failed, result.planned);
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  RecordProperty("peak_kib", static_cast<int>(usage.ru_maxrss));
  EXPECT_LE(usage.ru_maxrss, 200 * 1000 * 1000 / 1024) << "KiB";
}

}  // namespace
}  // namespace groupmamba::client
