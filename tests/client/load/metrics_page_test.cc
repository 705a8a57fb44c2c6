#include "client/load/metrics_page.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace groupmamba::client {
namespace {

TEST(MetricsPageTest, ReadsNamesLabelsAndValues) {
  const MetricsPage page = ParseMetrics(
      "# HELP a What it is.\n"
      "# TYPE a counter\n"
      "a 3\n"
      "b{x=\"1\",y=\"two } words\"} 4.5 1700000000\r\n"
      "c{z=\"quote \\\" slash \\\\ line \\n\"} 1e3\n"
      "d{} +Inf\n");
  ASSERT_EQ(page.size(), 4u);
  EXPECT_EQ(page[0].name, "a");
  EXPECT_EQ(page[0].value, 3);
  EXPECT_EQ(page[1].labels.at("x"), "1");
  EXPECT_EQ(page[1].labels.at("y"), "two } words");
  EXPECT_EQ(page[1].value, 4.5);
  EXPECT_EQ(page[2].labels.at("z"), "quote \" slash \\ line \n");
  EXPECT_EQ(page[2].value, 1000);
  EXPECT_TRUE(page[3].labels.empty());
}

TEST(MetricsPageTest, PassesOverWhatIsNoSample) {
  for (const char* text :
       {"", "\n\n", "a", "a b", "{", "}", "a{", "a{x=\"1\"}", "a{x=\"1} 3",
        "<html>no</html>", "a{x=\"\\", "a}{ 3"}) {
    for (const Sample& sample : ParseMetrics(text)) {
      EXPECT_TRUE(sample.labels.empty()) << text;
    }
  }
  EXPECT_TRUE(ParseMetrics("a b\na{x=\"1\"}\n").empty());
}

MetricsPage Page(int factor) {
  const auto n = [factor](int value) { return std::to_string(value * factor); };
  return ParseMetrics(
      "process_start_time_seconds 1000\n"
      "process_cpu_seconds_total " +
      n(2) +
      "\n"
      "process_resident_memory_bytes " +
      n(1000000) +
      "\n"
      "groupmamba_build_info{compiler=\"x\",version=\"1.2\"} 1\n"
      "groupmamba_requests_total{code=\"OK\",model=\"a\"} " +
      n(10) +
      "\n"
      "groupmamba_requests_total{code=\"OK\",model=\"b\"} " +
      n(5) +
      "\n"
      "groupmamba_requests_total{code=\"INTERNAL\",model=\"b\"} 7\n"
      "groupmamba_refused_total{reason=\"queue_full\"} " +
      n(3) +
      "\n"
      "groupmamba_images_total{model=\"a\"} " +
      n(12) +
      "\n"
      "groupmamba_batches_total{model=\"a\"} " +
      n(4) +
      "\n"
      "groupmamba_batch_size_bucket{model=\"a\",le=\"1\"} " +
      n(1) +
      "\n"
      "groupmamba_batch_size_bucket{model=\"a\",le=\"4\"} " +
      n(3) +
      "\n"
      "groupmamba_batch_size_bucket{model=\"a\",le=\"+Inf\"} " +
      n(4) +
      "\n"
      "groupmamba_stage_duration_seconds_sum{stage=\"queue\"} " +
      n(6) +
      "\n"
      "groupmamba_stage_duration_seconds_count{stage=\"queue\"} " +
      n(15) + "\n");
}

TEST(ServerActivityTest, IsWhatChangedBetweenTwoPages) {
  const auto activity = Between(Page(1), Page(3));
  ASSERT_TRUE(activity.ok()) << activity.status();
  EXPECT_EQ(activity->version, "1.2");
  EXPECT_EQ(activity->codes.at("OK"), 30);
  EXPECT_EQ(activity->codes.at("INTERNAL"), 0);
  EXPECT_EQ(activity->refused.at("queue_full"), 6);
  EXPECT_EQ(activity->images, 24);
  EXPECT_EQ(activity->batches, 8);
  EXPECT_EQ(activity->cpu_seconds, 4);
  EXPECT_EQ(activity->resident_bytes, 3000000);
  EXPECT_EQ(activity->stages.at("queue").seconds, 12);
  EXPECT_EQ(activity->stages.at("queue").count, 30);
  ASSERT_EQ(activity->batch_sizes.size(), 3u);
  EXPECT_EQ(activity->batch_sizes[0], std::pair(1.0, 2.0));
  EXPECT_EQ(activity->batch_sizes[1], std::pair(4.0, 4.0));
  EXPECT_EQ(activity->batch_sizes[2],
            std::pair(std::numeric_limits<double>::infinity(), 2.0));
}

TEST(ServerActivityTest, OfSeveralServersAddsUp) {
  ServerActivity all = *Between(Page(1), Page(3));
  all.Merge(*Between(Page(1), Page(2)));
  EXPECT_EQ(all.codes.at("OK"), 45);
  EXPECT_EQ(all.batches, 12);
  EXPECT_EQ(all.batch_sizes[1].second, 6);
  EXPECT_EQ(all.stages.at("queue").count, 45);
}

TEST(ServerActivityTest, OfARestartedServerThereIsNone) {
  EXPECT_EQ(Between(Page(1), ParseMetrics("process_start_time_seconds 2000\n"))
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

TEST(FetchMetricsTest, NobodyThereIsAnErrorThatNamesTheAddress) {
  for (const char* address : {"127.0.0.1:1", "no-port", "[::1]:1", ""}) {
    const auto page = FetchMetrics(address);
    EXPECT_EQ(page.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(page.status().message(),
              "no metrics page at " + std::string(address) + "/metrics");
  }
}

}  // namespace
}  // namespace groupmamba::client
