#include "client/load/runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/load/simulation.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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
    answer.server_decode = milliseconds(2);
    answer.server_queue = milliseconds(3);
    answer.server_batch_wait = milliseconds(1);
    answer.server_inference = milliseconds(5);
    answer.server_total = milliseconds(11);
    return answer;
  };
  simulation.service = [](int64_t) { return milliseconds(20); };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.receipts.count, 99);
  EXPECT_EQ(result.receipts.batch_sizes, 50 * 4 + 49 * 2);
  EXPECT_EQ(result.receipts.decode, milliseconds(2 * 99));
  EXPECT_EQ(result.receipts.queue, milliseconds(3 * 99));
  EXPECT_EQ(result.receipts.batch_wait, milliseconds(1 * 99));
  EXPECT_EQ(result.receipts.inference, milliseconds(5 * 99));
  EXPECT_EQ(result.receipts.total, milliseconds(11 * 99));
  EXPECT_EQ(result.receipts.service, milliseconds(20 * 99));
}

TEST(LoadTest, AnswersWithoutAReceiptAreNoneOfItsMeans) {
  Simulation simulation;
  simulation.answer = [](int64_t index) {
    LoadAnswer answer;
    if (index < 10) answer.server_total = milliseconds(4);
    return answer;
  };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.receipts.count, 10);
  EXPECT_EQ(result.receipts.total, milliseconds(40));
}

TEST(LoadTest, TheVersionsThatAnsweredAreCounted) {
  Simulation simulation;
  simulation.answer = [](int64_t index) {
    LoadAnswer answer;
    answer.version = index < 9 ? 1 : 2;
    return answer;
  };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  EXPECT_EQ(result.versions, (std::map<int64_t, int64_t>{{1, 9}, {2, 90}}));
}

TEST(LoadTest, TheSeriesSaysWhenCallsWereDueAndWhenAnswersCame) {
  Simulation simulation;
  simulation.service = [](int64_t) { return milliseconds(150); };
  const LoadResult result = RunLoad(OpenPlan(), &simulation, &simulation);
  ASSERT_EQ(result.intervals.size(), 10u);
  EXPECT_EQ(result.interval, milliseconds(100));
  EXPECT_EQ(result.intervals[0].due, 9);  // at 10, 20, ... 90 ms
  EXPECT_EQ(result.intervals[0].answered, 0);
  EXPECT_EQ(result.intervals[0].latency.count(), 9);
  EXPECT_EQ(result.intervals[5].due, 10);
  EXPECT_EQ(result.intervals[5].answered, 10);
  EXPECT_EQ(result.intervals[5].latency.max(), milliseconds(150));
}

TEST(LoadTest, ALongRunHasAtMost120Intervals) {
  for (const auto& [seconds_long, expected] :
       std::vector<std::pair<int, Duration>>{{1, milliseconds(100)},
                                             {12, milliseconds(100)},
                                             {13, milliseconds(200)},
                                             {60, milliseconds(500)},
                                             {86400, seconds(1000)}}) {
    const LoadResult result(TimePoint{}, seconds(seconds_long));
    EXPECT_EQ(result.interval, expected) << seconds_long;
    EXPECT_LE(result.intervals.size(), 120u);
    EXPECT_GE(result.interval * result.intervals.size(), seconds(seconds_long));
  }
}

TEST(LoadTest, ATraceIsReplayedAtItsTimes) {
  Simulation simulation;
  LoadPlan plan = OpenPlan();
  plan.arrivals = ArrivalKind::kTrace;
  plan.trace = std::make_shared<const Trace>(
      Trace{milliseconds(0), milliseconds(700), milliseconds(700),
            milliseconds(999), milliseconds(1000)});
  std::vector<Duration> due;
  LoadWatch watch;
  watch.each_call = [&due](const CallRecord& call) {
    due.push_back(call.times.due - call.start);
  };
  const LoadResult result = RunLoad(plan, &simulation, &simulation, watch);
  EXPECT_EQ(result.planned, 4);  // the run ends before the last is due
  EXPECT_EQ(due, (std::vector<Duration>{milliseconds(0), milliseconds(700),
                                        milliseconds(700), milliseconds(999)}));
}

TEST(LoadTest, EveryCallOfTheRunIsTold) {
  Simulation simulation;
  simulation.service = [](int64_t) { return seconds(10); };
  LoadPlan plan = OpenPlan();
  plan.warmup = milliseconds(20);
  plan.max_in_flight = 5;
  int sent = 0;
  int dropped = 0;
  LoadWatch watch;
  watch.each_call = [&](const CallRecord& call) {
    if (call.id < 0) {
      ++dropped;
      return;
    }
    EXPECT_EQ(call.id, sent++);
    EXPECT_EQ(call.times.done - call.times.sent, seconds(10));
  };
  RunLoad(plan, &simulation, &simulation, watch);
  EXPECT_EQ(sent, 5);
  EXPECT_EQ(dropped, 101 - 5);
}

// A server that is stopped from 5 s to 6 s, and takes 1 ms otherwise.
class StoppedServer : public Simulation {
 public:
  StoppedServer() {
    const TimePoint start = Now();
    service = [this, start](int64_t) -> Duration {
      const Duration now = Now() - start;
      const bool stopped = now >= seconds(5) && now < seconds(6);
      return milliseconds(1) + (stopped ? seconds(6) - now : Duration(0));
    };
  }
};

TEST(CoordinatedOmissionTest, AnOpenLoopShowsAStallThatANaiveLoopOmits) {
  LoadPlan plan;
  plan.duration = seconds(20);
  plan.open = true;
  plan.rate = 200;
  StoppedServer for_open;
  const LoadResult open = RunLoad(plan, &for_open, &for_open);
  EXPECT_GE(open.latency.Quantile(0.99), milliseconds(700));

  plan.open = false;
  plan.concurrency = 1;
  StoppedServer for_closed;
  const LoadResult closed = RunLoad(plan, &for_closed, &for_closed);
  EXPECT_EQ(closed.service.Quantile(0.99), milliseconds(1));
  EXPECT_GE(closed.service.max(), milliseconds(999));
}

TEST(CoordinatedOmissionTest, AStallOfTheSenderIsLatencyToo) {
  Simulation simulation;
  simulation.blocks = [](int64_t index) {
    return index == 1000 ? Duration(seconds(1)) : Duration(0);
  };
  LoadPlan plan = OpenPlan();
  plan.rate = 200;
  plan.duration = seconds(20);
  const LoadResult result = RunLoad(plan, &simulation, &simulation);
  EXPECT_GE(result.latency.Quantile(0.99), milliseconds(700));
  EXPECT_EQ(result.service.Quantile(0.99), milliseconds(1));
}

// Answers at once, on the sending thread.
class AnsweringTarget : public LoadTarget {
 public:
  void Start(int64_t, std::function<void(const LoadAnswer&)> done) override {
    done(LoadAnswer());
  }
};

TEST(LoadWatchTest, IsToldTheBeginningAndEverySecond) {
  SimulatedClock clock;
  AnsweringTarget target;
  LoadPlan plan;
  plan.open = true;
  plan.arrivals = ArrivalKind::kConstant;
  plan.rate = 1;
  plan.warmup = seconds(1);
  plan.duration = seconds(3);
  std::atomic<int> begun = 0;
  std::vector<int64_t> ok;
  LoadWatch watch;
  watch.begun = [&begun] { ++begun; };
  watch.each_second = [&ok](const LoadSnapshot& snapshot) {
    ok.push_back(snapshot.ok);
  };
  const TimePoint start = clock.Now();
  std::thread run([&] { RunLoad(plan, &target, &clock, watch); });
  // The calls due at 1, 2 and 3 s; at each the watcher wakes, too. It may find
  // the call of its second counted or not.
  for (int second = 1; second <= 3; ++second) {
    clock.AwaitWaiter(start + seconds(second));
    clock.AwaitWaiters(2);
    clock.Advance(seconds(1));
  }
  run.join();
  EXPECT_EQ(begun, 1);
  ASSERT_GE(ok.size(), 1u);
  EXPECT_GE(ok[0], 1);
}

}  // namespace
}  // namespace groupmamba::client
