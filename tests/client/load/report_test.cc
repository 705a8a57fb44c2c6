#include "client/load/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "client/load/analysis.h"

namespace groupmamba::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LoadContext Context() {
  return {.target = "localhost:8001",
          .model = "fashion",
          .model_version = 1,
          .payload = "12 pictures",
          .deadline_ms = 1000,
          .command = "groupmamba-client load --rate 200",
          .started = "2026-11-25T12:00:00Z",
          .machine = "a processor, 2 cores"};
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
  LoadResult result(TimePoint{}, seconds(10));
  result.planned = 2010;
  result.dropped = 5;
  for (int i = 1; i <= 2000; ++i) {
    result.latency.Record(microseconds(1100 + i));
    result.service.Record(microseconds(1000 + i));
    result.intervals[i % 100].latency.Record(microseconds(1100 + i));
  }
  result.failed = 5;
  for (int i = 0; i < 5; ++i) result.failed_latency.Record(milliseconds(20));
  for (int i = 0; i < 2005; ++i) result.send_lag.Record(microseconds(100));
  result.late = 8;
  result.codes = {{absl::StatusCode::kOk, 2000},
                  {absl::StatusCode::kResourceExhausted, 5}};
  result.ok_in_window = 1995;
  result.receipts = {.count = 2000,
                     .batch_sizes = 5000,
                     .service = milliseconds(4000),
                     .decode = milliseconds(200),
                     .queue = milliseconds(2000),
                     .batch_wait = milliseconds(500),
                     .inference = milliseconds(1000),
                     .total = milliseconds(3400)};
  result.versions = {{1, 2000}};
  return result;
}

LoadReport OpenReport() {
  return {.plan = OpenPlan(),
          .context = Context(),
          .result = Result(),
          .server = {},
          .profile = {},
          .objective = {}};
}

TEST(LoadReportTest, AnOpenLoopIsToldFromWhenCallsWereDue) {
  EXPECT_EQ(
      LoadText(OpenReport()),
      "open loop, 200 calls/s, Poisson arrivals (seed 3), 10.0 s after 1.00 s "
      "of warm-up\n"
      "fashion version 1 at localhost:8001, 12 pictures, deadline 1,000 ms\n"
      "\n"
      "  offered               201 calls/s   2,010 calls, 5 of them dropped: "
      "1,000 were in flight\n"
      "  achieved              200 calls/s   2,000 OK, 5 failed\n"
      "\n"
      "  ms                    p50      p90      p95      p99      max     "
      "mean\n"
      "  latency, OK          2.10     2.90     3.00     3.08     3.10     2.10"
      "   from when it was due\n"
      "  service, OK          2.00     2.80     2.90     2.98     3.00     2.00"
      "   from when it was sent\n"
      "  latency, failed      20.0     20.0     20.0     20.0     20.0     20.0"
      "   until the failure\n"
      "  send lag             0.10     0.10     0.10     0.10     0.10     0.10"
      "   sent after it was due; 0.4 % later than 2 ms\n"
      "\n"
      "  codes             OK 2,000   RESOURCE_EXHAUSTED 5\n"
      "\n"
      "  where the time went           mean ms    share\n"
      "  decode                           0.10    5.0 %\n"
      "  queue                            1.00   50.0 %\n"
      "    waiting for company            0.25   12.5 %\n"
      "  inference                        0.50   25.0 %\n"
      "  hand-overs in the server         0.10    5.0 %\n"
      "  network, gRPC, client            0.30   15.0 %\n"
      "  service time                     2.00  100.0 %\n"
      "\n"
      "  batches           a call rode in a batch of 2.50\n");
}

TEST(LoadReportTest, AClosedLoopSaysThatItsLatencyIsUncorrected) {
  LoadReport report = OpenReport();
  report.plan.open = false;
  report.plan.concurrency = 8;
  report.result.dropped = 0;
  const std::string text = LoadText(report);
  EXPECT_THAT(text, HasSubstr("closed loop, 8 callers, "));
  EXPECT_THAT(text, HasSubstr("uncorrected"));
  EXPECT_THAT(text, Not(HasSubstr("send lag")));
  EXPECT_THAT(text, Not(HasSubstr("dropped")));
  EXPECT_EQ(LoadJson(report)["latency_from"], "sent");
}

TEST(LoadReportTest, RarePercentilesAreToldWhereTenCallsLieBeyond) {
  Histogram histogram;
  const auto last = [&histogram] {
    return std::string(ToldQuantiles(histogram).back().name);
  };
  for (int i = 0; i < 9999; ++i) histogram.Record(milliseconds(1));
  EXPECT_EQ(last(), "p99");
  histogram.Record(milliseconds(1));
  EXPECT_EQ(last(), "p99.9");
  for (int i = 0; i < 90000; ++i) histogram.Record(milliseconds(1));
  EXPECT_EQ(last(), "p99.99");
}

TEST(LoadReportTest, AnObjectiveIsToldWithItsGoodput) {
  LoadReport report = OpenReport();
  report.objective = *ParseObjective("p99=3ms,errors=1%");
  const std::string text = LoadText(report);
  EXPECT_THAT(text,
              HasSubstr("  goodput               190 calls/s   OK within 3.00 "
                        "ms\n"));
  EXPECT_THAT(text, HasSubstr("  objective         p99 3.08 ms > 3.00 ms, "
                              "errors 0.5 % <= 1 %: MISSED\n"));
  const Json json = LoadJson(report);
  EXPECT_EQ(json["objective"]["met"], false);
  EXPECT_EQ(json["objective"]["goals"][0]["ms"], 3.081);
  EXPECT_NEAR(json["goodput_per_s"].get<double>(), 190, 0.5);
}

TEST(LoadReportTest, TheMetricsPageStandsBesideTheReceipts) {
  LoadReport report = OpenReport();
  ServerActivity server;
  server.stages = {{"decode", {2000, 0.3}},
                   {"gather", {2000, 0.02}},
                   {"reply", {2000, 0.04}}};
  server.batches = 800;
  server.images = 2000;
  server.dispatch = {{"full", 0}, {"wait", 800}};
  server.refused = {{"queue_full", 5}};
  server.cpu_seconds = 5;
  server.resident_bytes = 100e6;
  report.server = server;
  const std::string text = LoadText(report);
  EXPECT_THAT(text, HasSubstr("  decode                           0.10    5.0 "
                              "%         0.15\n"));
  EXPECT_THAT(text, HasSubstr("  hand-overs in the server         0.10    5.0 "
                              "%         0.03\n"));
  EXPECT_THAT(text, HasSubstr("800 batches of 2.50 on average; started: wait "
                              "800\n"));
  EXPECT_THAT(text, HasSubstr("  server refused    queue_full 5\n"));
  EXPECT_THAT(text, HasSubstr("  server used       0.50 cores, 100 MB of "
                              "memory\n"));
  const Json json = LoadJson(report);
  EXPECT_EQ(json["server"]["refused"]["queue_full"], 5);
  EXPECT_EQ(json["time"][0]["page_mean_ms"], 0.15);
}

TEST(LoadReportTest, TheReceiptsStagesAreToldAsAPartOfTheServiceTime) {
  EXPECT_DOUBLE_EQ(ExplainedRatio(Result()), 0.8);
  EXPECT_EQ(LoadJson(OpenReport())["explained_ratio"], 0.8);
  EXPECT_EQ(ExplainedRatio(LoadResult()), 0);
}

TEST(LoadReportTest, MoreThanAHundredthOfLateCallsMakesARunInvalid) {
  LoadResult result = Result();  // 2,005 sent
  result.late = 20;
  EXPECT_TRUE(WhyInvalid(OpenPlan(), result).empty());
  result.late = 21;
  EXPECT_THAT(WhyInvalid(OpenPlan(), result),
              ElementsAre(HasSubstr("this machine could not keep the rate")));
  LoadReport report = OpenReport();
  report.result = result;
  EXPECT_THAT(LoadText(report), HasSubstr("\n  INVALID: 1.0 % of the calls"));
  EXPECT_EQ(LoadJson(report)["valid"], false);
  EXPECT_TRUE(WhyInvalid(OpenPlan(), LoadResult()).empty());
}

TEST(LoadReportTest, MoreThanAHundredthOfDroppedCallsMakesARunInvalid) {
  LoadResult result = Result();  // 2,010 planned
  result.dropped = 20;
  EXPECT_TRUE(WhyInvalid(OpenPlan(), result).empty());
  result.dropped = 21;
  EXPECT_THAT(WhyInvalid(OpenPlan(), result),
              ElementsAre(HasSubstr("raise --max-in-flight")));
}

TEST(QuantileRangeTest, IsNarrowWhereTheRunWasEvenAndWideWhereItWasNot) {
  LoadResult even(TimePoint{}, seconds(10));
  LoadResult uneven(TimePoint{}, seconds(10));
  for (int i = 0; i < 10000; ++i) {
    const TimePoint due{milliseconds(i)};
    const auto add = [due](Duration latency, LoadResult* result) {
      result->AddPlanned(due, true);
      result->AddAnswer({.due = due, .sent = due, .done = due + latency},
                        LoadAnswer(), true);
    };
    const Duration usual = microseconds(1000 + i % 100);
    add(usual, &even);
    add(i / 1000 == 3 ? 10 * usual : usual, &uneven);
  }
  const auto [low, high] = *QuantileRange(even, 0.5);
  EXPECT_LE(low, even.latency.Quantile(0.5));
  EXPECT_GE(high, even.latency.Quantile(0.5));
  EXPECT_LT(high - low, microseconds(20));
  const auto [wide_low, wide_high] = *QuantileRange(uneven, 0.5);
  EXPECT_GT(wide_high - wide_low, milliseconds(2));
  EXPECT_FALSE(QuantileRange(LoadResult(), 0.5).has_value());
}

TEST(LoadReportTest, JsonSaysHowToRepeatTheRun) {
  const Json json = LoadJson(OpenReport());
  EXPECT_EQ(json["schema"], 2);
  EXPECT_EQ(json["kind"], "run");
  EXPECT_EQ(json["command"], "groupmamba-client load --rate 200");
  EXPECT_EQ(json["machine"], "a processor, 2 cores");
  EXPECT_EQ(json["plan"]["seed"], 3);
  EXPECT_EQ(json["plan"]["rate_per_s"], 200);
  EXPECT_EQ(json["plan"]["arrivals"], "poisson");
}

TEST(LoadReportTest, JsonHasTheFigures) {
  const Json json = LoadJson(OpenReport());
  EXPECT_EQ(json["planned"], 2010);
  EXPECT_EQ(json["ok"], 2000);
  EXPECT_EQ(json["codes"]["RESOURCE_EXHAUSTED"], 5);
  EXPECT_EQ(json["offered_per_s"], 201);
  EXPECT_EQ(json["achieved_per_s"], 199.5);
  EXPECT_EQ(json["latency_ms"]["p99"], 3.081);
  EXPECT_EQ(json["latency_ms"]["max"], 3.1);
  EXPECT_EQ(json["latency_ms"].count("p99.9"), 0u);
  EXPECT_EQ(json["server_mean"]["batch_size"], 2.5);
  EXPECT_EQ(json["series"]["due"].size(), 100u);
  EXPECT_EQ(json["spectrum_ms"]["latency"].back()[1], 3.1);
  EXPECT_LE(json["latency_range_ms"]["p50"][0], json["latency_ms"]["p50"]);
  EXPECT_GE(json["latency_range_ms"]["p50"][1], json["latency_ms"]["p50"]);
}

TEST(LoadReportTest, APageTakesNoTagFromItsData) {
  const std::string page = ReportHtml(
      {{"model", "</script><script>alert(1)</script>"}}, "<b>text</b>");
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<b>text")));
  EXPECT_THAT(page, Not(HasSubstr("http://www.w3.org/1999")));
}

TEST(ReportJunitTest, EachGoalIsACaseAndAMissedOneFails) {
  LoadReport report = OpenReport();
  report.objective = *ParseObjective("p99=3ms,errors=1%");
  const std::string xml = ReportJunit(LoadJson(report));
  EXPECT_THAT(xml, HasSubstr("tests=\"3\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("name=\"p99 is at most 3.0 ms\">\n    <failure "
                             "message=\"it is 3.081 ms\"/>"));
  EXPECT_THAT(xml, HasSubstr("name=\"errors is at most 0.01\"/>"));
  EXPECT_THAT(xml, HasSubstr("name=\"the run is valid\"/>"));
}

TEST(ReportMarkdownTest, EachGoalAndEachRunIsALineOfATable) {
  LoadReport report = OpenReport();
  report.context.model = "a|<b>";
  report.objective = *ParseObjective("p99=3ms,errors=1%");
  const std::string text = ReportMarkdown(LoadJson(report));
  EXPECT_THAT(text, HasSubstr("### Load test FAILED: a\\|&lt;b> at "
                              "localhost:8001\n\n"));
  EXPECT_THAT(text,
              HasSubstr("| 201 | 200 | 2,000 | 5 | 5 | 2.10 | 3.08 | - |\n"));
  EXPECT_THAT(text, HasSubstr("| p99 is at most 3.0 ms | **missed**: it is "
                              "3.081 ms |\n"));
  EXPECT_THAT(text, HasSubstr("| the run is valid | met |\n"));
}

TEST(ReportMarkdownTest, ASearchWithoutARateHasNoRuns) {
  const std::string text =
      ReportMarkdown(SearchJson(*ParseObjective("p99=3ms"), {}, nullptr));
  EXPECT_THAT(text, HasSubstr("### Load test FAILED"));
  EXPECT_THAT(text, Not(HasSubstr("offered/s")));
}

TEST(LoadReportTest, AProfileIsWhatPlanReads) {
  LoadReport report = OpenReport();
  EXPECT_FALSE(LoadJson(report).contains("profile"));
  report.profile = Profile();
  report.profile->batch_times = {{1, milliseconds(5)}, {8, milliseconds(10)}};
  report.profile->decode = microseconds(400);
  report.profile->decode_threads = 3;
  report.profile->instances = 2;
  report.profile->policy.max_delay = milliseconds(7);
  const auto read = ParseProfile(ToPage(LoadJson(report)), "");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->batch_times, report.profile->batch_times);
  EXPECT_EQ(read->decode, microseconds(400));
  EXPECT_EQ(read->decode_threads, 3);
  EXPECT_EQ(read->instances, 2);
  EXPECT_EQ(read->policy.max_delay, milliseconds(7));
  EXPECT_EQ(read->policy.max_batch, 8);
}

TEST(ReportJunitTest, WithoutAnObjectiveNoCallMayFail) {
  EXPECT_THAT(ReportJunit(LoadJson(OpenReport())),
              HasSubstr("<failure message=\"10 failed or were dropped\"/>"));
}

}  // namespace
}  // namespace groupmamba::client
