#include "server/metrics.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public ::testing::Test {
 protected:
  static void ExpectRequestsAtZero(const char* protocol,
                                   const std::string& page) {
    for (const char* code :
         {"OK", "CANCELLED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
          "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"}) {
      const std::string begin = absl::StrCat(
          "groupmamba_requests_total{code=\"", code, "\",model=\"");
      const std::string middle = absl::StrCat("\",protocol=\"", protocol, "\"");
      EXPECT_THAT(page, HasSubstr(absl::StrCat(begin, "m", middle,
                                               ",version=\"3\"} 0\n")));
      EXPECT_THAT(page, HasSubstr(absl::StrCat(begin, "(unknown)", middle,
                                               ",version=\"0\"} 0\n")));
    }
  }

  Admission admission_{{.max_waiting = 5}};
  Metrics metrics_{&admission_};
  std::shared_ptr<ModelMetrics> model_ = metrics_.AddModel("m", 3);
};

TEST_F(MetricsTest, EveryNameAndLabelIsThereAtZeroFromTheStart) {
  const std::string page = metrics_.Page();
  for (const char* protocol : {"grpc", "v2"}) {
    ExpectRequestsAtZero(protocol, page);
    EXPECT_THAT(page, HasSubstr(absl::StrCat(
                          "groupmamba_request_duration_seconds_count{model="
                          "\"m\",protocol=\"",
                          protocol, "\"} 0\n")));
  }
  for (const char* stage :
       {"decode", "queue", "gather", "inference", "reply"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat(
                          "groupmamba_stage_duration_seconds_count{model="
                          "\"m\",stage=\"",
                          stage, "\"} 0\n")));
  }
  for (const char* reason : {"full", "wait", "drain"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat(
                          "groupmamba_batch_dispatch_total{model=\"m\","
                          "reason=\"",
                          reason, "\"} 0\n")));
  }
  for (const char* reason : {"queue_full", "bytes_full", "late", "over_share",
                             "draining", "loading"}) {
    EXPECT_THAT(page,
                HasSubstr(absl::StrCat("groupmamba_refused_total{reason=\"",
                                       reason, "\"} 0\n")));
  }
  for (const char* line :
       {"groupmamba_images_total{model=\"m\"} 0\n",
        "groupmamba_batches_total{model=\"m\"} 0\n",
        "groupmamba_batch_size_count{model=\"m\"} 0\n",
        "groupmamba_refusal_duration_seconds_count 0\n",
        "groupmamba_queue_depth 0\n", "groupmamba_queue_capacity 5\n",
        "groupmamba_queue_bytes 0\n", "groupmamba_inflight_requests 0\n",
        "groupmamba_model_ready{model=\"m\",version=\"3\"} 0\n",
        "groupmamba_model_load_seconds{model=\"m\",version=\"3\"} 0\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  EXPECT_THAT(page, HasSubstr("groupmamba_build_info{"));
}

TEST_F(MetricsTest, LatencyBucketsReachFromATenthOfAMillisecondToTenSeconds) {
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr("le=\"0.0001\""));
  EXPECT_THAT(page, HasSubstr("le=\"10\""));
}

TEST_F(MetricsTest, ARequestCountsUnderItsCodeWithItsDuration) {
  model_->RequestEnded(Protocol::kGrpc, absl::StatusCode::kNotFound,
                       milliseconds(1500));
  const std::string page = metrics_.Page();
  EXPECT_THAT(page,
              HasSubstr("groupmamba_requests_total{code=\"NOT_FOUND\","
                        "model=\"m\",protocol=\"grpc\",version=\"3\"} 1"));
  EXPECT_THAT(page, HasSubstr("groupmamba_request_duration_seconds_sum{model="
                              "\"m\",protocol=\"grpc\"} 1.5"));
}

TEST_F(MetricsTest, ACodeThatNobodyForesawCountsAsInternal) {
  model_->RequestEnded(Protocol::kV2, absl::StatusCode::kDataLoss,
                       milliseconds(1));
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("groupmamba_requests_total{code=\"INTERNAL\",model="
                        "\"m\",protocol=\"v2\",version=\"3\"} 1"));
}

TEST_F(MetricsTest, ABatchCountsItsPicturesItsSizeAndItsReason) {
  model_->BatchStarted(4, DispatchReason::kFull);
  model_->BatchStarted(1, DispatchReason::kDrain);
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr("groupmamba_images_total{model=\"m\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_batches_total{model=\"m\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_batch_size_sum{model=\"m\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_batch_dispatch_total{model=\"m\","
                              "reason=\"drain\"} 1\n"));
}

TEST_F(MetricsTest, ARefusalCountsUnderItsReasonWithItsDuration) {
  metrics_.Refused(Reason::kLate, milliseconds(3));
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr("groupmamba_refused_total{reason=\"late\"} 1\n"));
  EXPECT_THAT(page,
              HasSubstr("groupmamba_refusal_duration_seconds_sum 0.003\n"));
}

TEST_F(MetricsTest, TheQueueIsShownAsItIs) {
  const auto ticket = admission_.Enter({.bytes = 123});
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr("groupmamba_queue_depth 1\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_queue_bytes 123\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_inflight_requests 1\n"));
}

TEST_F(MetricsTest, VersionsAreBoundedAndTheirSumsStayWhole) {
  const auto in_use = metrics_.AddModel("m", 4);
  in_use->RequestEnded(Protocol::kGrpc, absl::StatusCode::kOk, milliseconds(1));
  for (int version = 5; version < 1005; ++version) {
    metrics_.AddModel("m", version)
        ->RequestEnded(Protocol::kGrpc, absl::StatusCode::kOk, milliseconds(1));
  }
  const std::string page = metrics_.Page();
  const auto line = [](const char* version, int value) {
    return absl::StrCat(
        "requests_total{code=\"OK\",model=\"m\",protocol=\"grpc\",version=\"",
        version, "\"} ", value, "\n");
  };
  int series = 0;
  for (size_t at = page.find("code=\"OK\",model=\"m\",protocol=\"grpc\"");
       at != std::string::npos;
       at = page.find("code=\"OK\",model=\"m\",protocol=\"grpc\"", at + 1)) {
    ++series;
  }
  EXPECT_EQ(series, 9);  // eight versions and the earlier ones
  EXPECT_THAT(page, HasSubstr(line("(earlier)", 994)));
  EXPECT_THAT(page, HasSubstr(line("4", 1)));  // kept: in use
  EXPECT_THAT(page, HasSubstr(line("1004", 1)));
  EXPECT_THAT(page, Not(HasSubstr("model_ready{model=\"m\",version=\"5\"}")));
  EXPECT_EQ(metrics_.AddModel("m", 4), in_use);
}

TEST_F(MetricsTest, TheProcessIsThere) {
  const std::string page = metrics_.Page();
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
        "process_start_time_seconds"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("\n", name, " ")));
    EXPECT_THAT(page, Not(HasSubstr(absl::StrCat("\n", name, " 0\n"))))
        << "a test process uses some";
  }
}

}  // namespace
}  // namespace groupmamba
