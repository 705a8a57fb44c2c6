#include "client/load/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server and the time it lives in: calls are answered `service(index)` after
// they came in, and waiting moves the time on to the next answer. One thread;
// every run is the same.
class Simulation : public Clock, public LoadTarget {
 public:
  std::function<Duration(int64_t)> service = [](int64_t) {
    return milliseconds(1);
  };
  std::function<LoadAnswer(int64_t)> answer = [](int64_t) {
    return LoadAnswer();
  };
  // Time that the call itself takes on the sending thread.
  std::function<Duration(int64_t)> blocks = [](int64_t) { return Duration(0); };

  int64_t started() const { return started_; }
  int most_in_flight() const { return most_in_flight_; }

  TimePoint Now() const override { return now_; }

  void WaitUntil(CondVar*, Mutex* mutex, TimePoint time) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!answers_.empty() && answers_.begin()->first <= time) {
      auto next = answers_.extract(answers_.begin());
      now_ = std::max(now_, next.key());
      mutex->Unlock();
      next.mapped()();
      mutex->Lock();
      return;
    }
    if (time == kForever) std::abort();  // nothing would ever end the wait
    now_ = time;
  }

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override {
    EXPECT_EQ(index, started_++);
    now_ += blocks(index);
    ++in_flight_;
    most_in_flight_ = std::max(most_in_flight_, in_flight_);
    answers_.emplace(now_ + service(index),
                     [this, index, done = std::move(done)] {
                       --in_flight_;
                       done(answer(index));
                     });
  }

 private:
  TimePoint now_{seconds(1000)};
  std::multimap<TimePoint, std::function<void()>> answers_;
  int64_t started_ = 0;
  int in_flight_ = 0;
  int most_in_flight_ = 0;
};

LoadPlan OpenPlan() {
  LoadPlan plan;
  plan.open = true;
  plan.rate = 100;
  plan.arrivals = ArrivalKind::kConstant;
  plan.duration = seconds(1);
  return plan;
}

TEST(OpenLoopTest, CallsAreSentWhenTheyAreDueHoweverSlowTheAnswers) {
  Simulation simulation;
  simulation.service = [](int64_t) { return seconds(30); };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.planned, 99);  // due at 10, 20, ... 990 ms
  EXPECT_EQ(result.send_lag.max(), Duration(0));
  EXPECT_EQ(simulation.most_in_flight(), 99);
  EXPECT_EQ(result.latency.count(), 99);
  EXPECT_EQ(result.latency.max(), seconds(30));
  EXPECT_EQ(result.ok_in_window, 0);
}

TEST(OpenLoopTest, LatencyCountsFromWhenACallWasDue) {
  Simulation simulation;
  simulation.blocks = [](int64_t index) {
    return index == 10 ? milliseconds(500) : milliseconds(0);
  };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  // The call due at 110 ms keeps the sender until 610 ms: those due at 120 to
  // 600 ms are sent late, by 490 to 10 ms.
  EXPECT_EQ(result.late, 49);
  EXPECT_EQ(result.send_lag.count(), 99);
  EXPECT_EQ(result.send_lag.max(), milliseconds(490));
  EXPECT_EQ(result.service.Quantile(0.98), milliseconds(1));
  EXPECT_EQ(result.latency.count(), 99);
  EXPECT_EQ(result.latency.Quantile(49.0 / 99), milliseconds(1));
  EXPECT_GE(result.latency.Quantile(50.0 / 99), milliseconds(11));
  EXPECT_GE(result.latency.Quantile(98.0 / 99), milliseconds(491));
}

TEST(OpenLoopTest, BeyondTheBoundCallsAreDroppedAndCounted) {
  Simulation simulation;
  simulation.service = [](int64_t) { return seconds(10); };
  LoadPlan plan = OpenPlan();
  plan.max_in_flight = 5;
  const LoadResult result = RunLoad(plan, &simulation, &simulation);
  EXPECT_EQ(result.planned, 99);
  EXPECT_EQ(result.dropped, 94);
  EXPECT_EQ(result.codes.at(absl::StatusCode::kOk), 5);
  EXPECT_EQ(simulation.most_in_flight(), 5);
  EXPECT_EQ(result.send_lag.count(), 5);
}

TEST(OpenLoopTest, CallsDueInTheWarmUpAreSentButNotMeasured) {
  Simulation simulation;
  simulation.service = [](int64_t index) {
    return index < 49 ? milliseconds(400) : milliseconds(1);
  };
  LoadPlan plan = OpenPlan();
  plan.warmup = milliseconds(500);
  const LoadResult result = RunLoad(plan, &simulation, &simulation);
  EXPECT_EQ(simulation.started(), 149);
  EXPECT_EQ(result.planned, 100);  // due at 500, 510, ... 1490 ms
  EXPECT_EQ(result.latency.count(), 100);
  EXPECT_EQ(result.latency.max(), milliseconds(1));
  // Forty calls of the warm-up were answered in the window: they are throughput
  // (those due at 100 to 490 ms), but no latency.
  EXPECT_EQ(result.ok_in_window, 140);
}

TEST(OpenLoopTest, FailuresAreCountedByCodeAndTimedApart) {
  Simulation simulation;
  simulation.answer = [](int64_t index) {
    LoadAnswer answer;
    if (index % 3 == 0) answer.code = absl::StatusCode::kResourceExhausted;
    if (index == 1) answer.code = absl::StatusCode::kDeadlineExceeded;
    return answer;
  };
  simulation.service = [](int64_t index) {
    return milliseconds(index == 1 ? 200 : index % 3 == 0 ? 1 : 20);
  };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.failed, 34);
  EXPECT_EQ(result.codes.at(absl::StatusCode::kResourceExhausted), 33);
  EXPECT_EQ(result.codes.at(absl::StatusCode::kDeadlineExceeded), 1);
  EXPECT_EQ(result.codes.at(absl::StatusCode::kOk), 65);
  EXPECT_EQ(result.latency.Quantile(0), milliseconds(20));
  EXPECT_EQ(result.latency.max(), milliseconds(20));
  EXPECT_EQ(result.failed_latency.count(), 34);
  EXPECT_EQ(result.failed_latency.max(), milliseconds(200));
}

TEST(ClosedLoopTest, EachCallerSendsAgainWhenItHasItsAnswer) {
  Simulation simulation;
  simulation.service = [](int64_t) { return milliseconds(10); };
  LoadPlan plan;
  plan.concurrency = 4;
  plan.duration = seconds(1);
  const LoadResult result = RunLoad(plan, &simulation, &simulation);
  EXPECT_EQ(simulation.most_in_flight(), 4);
  EXPECT_EQ(result.planned, 400);
  EXPECT_EQ(result.dropped, 0);
  EXPECT_EQ(result.latency.count(), 400);
  EXPECT_EQ(result.latency.max(), milliseconds(10));
  EXPECT_EQ(result.ok_in_window, 396);  // the last four end with the run
  EXPECT_EQ(result.send_lag.count(), 0);
}

TEST(ClosedLoopTest, CallsOfTheWarmUpAreNotMeasured) {
  Simulation simulation;
  simulation.service = [](int64_t index) {
    return index < 20 ? milliseconds(50) : milliseconds(10);
  };
  LoadPlan plan;
  plan.concurrency = 2;
  plan.warmup = milliseconds(500);
  plan.duration = milliseconds(100);
  const LoadResult result = RunLoad(plan, &simulation, &simulation);
  EXPECT_EQ(simulation.started(), 40);
  EXPECT_EQ(result.planned, 20);
  EXPECT_EQ(result.latency.max(), milliseconds(10));
}

TEST(LoadTest, TheServersReceiptsAreSummedOverTheAnswers) {
  Simulation simulation;
  simulation.answer = [](int64_t index) {
    LoadAnswer answer;
    answer.batch_size = index % 2 == 0 ? 4 : 2;
    answer.server_queue = milliseconds(3);
    answer.server_inference = milliseconds(5);
    return answer;
  };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.batch_sizes, 50 * 4 + 49 * 2);
  EXPECT_EQ(result.server_queue, milliseconds(3 * 99));
  EXPECT_EQ(result.server_inference, milliseconds(5 * 99));
}

}  // namespace
}  // namespace groupmamba::client
