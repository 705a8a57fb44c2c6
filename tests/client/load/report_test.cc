#include "client/load/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace groupmamba::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

LoadContext Context() {
  return {.target = "localhost:8001",
          .model = "fashion",
          .model_version = 1,
          .payload = "12 pictures",
          .deadline_ms = 1000};
}

LoadPlan OpenPlan() {
  LoadPlan plan;
  plan.open = true;
  plan.rate = 200;
  plan.seed = 3;
  plan.warmup = seconds(1);
  plan.duration = seconds(10);
  return plan;
}

LoadResult Result() {
  LoadResult result;
  result.planned = 2010;
  result.dropped = 5;
  for (int i = 1; i <= 2000; ++i) {
    result.latency.Record(microseconds(1100 + i));
    result.service.Record(microseconds(1000 + i));
  }
  result.failed = 5;
  for (int i = 0; i < 5; ++i) result.failed_latency.Record(milliseconds(20));
  for (int i = 0; i < 2005; ++i) result.send_lag.Record(microseconds(100));
  result.late = 8;
  result.codes = {{absl::StatusCode::kOk, 2000},
                  {absl::StatusCode::kResourceExhausted, 5}};
  result.ok_in_window = 1995;
  result.batch_sizes = 5000;
  result.server_queue = milliseconds(2000);
  result.server_inference = milliseconds(1000);
  return result;
}

TEST(LoadReportTest, AnOpenLoopIsToldFromWhenCallsWereDue) {
  EXPECT_EQ(
      LoadText(OpenPlan(), Context(), Result()),
      "open loop, 200 calls/s, Poisson arrivals (seed 3), 10.0 s after 1.00 s "
      "of warm-up\n"
      "fashion version 1 at localhost:8001, 12 pictures, deadline 1,000 ms\n"
      "\n"
      "  offered               201 calls/s   2,010 calls, 5 of them dropped: "
      "1,000 were in flight\n"
      "  achieved              200 calls/s   2,000 OK, 5 failed\n"
      "\n"
      "  ms                    p50      p90      p99      max     mean\n"
      "  latency, OK          2.10     2.90     3.08     3.10     2.10   from "
      "when it was due\n"
      "  service, OK          2.00     2.80     2.98     3.00     2.00   from "
      "when it was sent\n"
      "  latency, failed      20.0     20.0     20.0     20.0     20.0   until "
      "the failure\n"
      "  send lag             0.10     0.10     0.10     0.10     0.10   sent "
      "after it was due; 0.4 % later than 1 ms\n"
      "\n"
      "  codes             OK 2,000   RESOURCE_EXHAUSTED 5\n"
      "  server, mean      queue 1.00 ms, inference 0.50 ms, a call rode in a "
      "batch of 2.50\n");
}

TEST(LoadReportTest, AClosedLoopSaysThatItsLatencyIsUncorrected) {
  LoadPlan plan;
  plan.concurrency = 8;
  plan.warmup = seconds(1);
  plan.duration = seconds(10);
  LoadResult result = Result();
  result.dropped = 0;
  const std::string text = LoadText(plan, Context(), result);
  EXPECT_THAT(text, HasSubstr("closed loop, 8 callers, "));
  EXPECT_THAT(text, HasSubstr("uncorrected"));
  EXPECT_THAT(text, Not(HasSubstr("send lag")));
  EXPECT_THAT(text, Not(HasSubstr("dropped")));
}

TEST(LoadReportTest, JsonHasTheDocumentedKeys) {
  EXPECT_EQ(LoadJson(OpenPlan(), Context(), Result()), R"({
  "target": "localhost:8001",
  "model": "fashion",
  "model_version": 1,
  "plan": {
    "loop": "open",
    "rate_per_s": 200.0,
    "arrivals": "poisson",
    "max_in_flight": 1000,
    "seed": 3,
    "warmup_s": 1.0,
    "duration_s": 10.0,
    "deadline_ms": 1000,
    "payload": "12 pictures"
  },
  "planned": 2010,
  "dropped": 5,
  "ok": 2000,
  "failed": 5,
  "codes": {
    "OK": 2000,
    "RESOURCE_EXHAUSTED": 5
  },
  "offered_per_s": 201.0,
  "achieved_per_s": 199.5,
  "latency_from": "due",
  "latency_ms": {
    "count": 2000,
    "p50": 2.101,
    "p90": 2.901,
    "p99": 3.081,
    "max": 3.1,
    "mean": 2.101
  },
  "service_ms": {
    "count": 2000,
    "p50": 2.0,
    "p90": 2.801,
    "p99": 2.981,
    "max": 3.0,
    "mean": 2.001
  },
  "failed_latency_ms": {
    "count": 5,
    "p50": 20.0,
    "p90": 20.0,
    "p99": 20.0,
    "max": 20.0,
    "mean": 20.0
  },
  "send_lag_ms": {
    "count": 2005,
    "p50": 0.1,
    "p90": 0.1,
    "p99": 0.1,
    "max": 0.1,
    "mean": 0.1
  },
  "late_ratio": 0.00399,
  "kept_its_plan": true,
  "server_mean": {
    "queue_ms": 1.0,
    "inference_ms": 0.5,
    "batch_size": 2.5
  }
}
)");
}

TEST(LoadReportTest, MoreThanAHundredthOfLateCallsBreaksThePlan) {
  LoadResult result = Result();  // 2,005 sent
  result.late = 20;
  EXPECT_TRUE(KeptItsPlan(result));
  result.late = 21;
  EXPECT_FALSE(KeptItsPlan(result));
  EXPECT_TRUE(KeptItsPlan(LoadResult()));
}

}  // namespace
}  // namespace groupmamba::client
