#include "server/call_records.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/status_map.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kSampled[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kUnsampled[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

class CallRecordsTest : public ::testing::Test {
 protected:
  void Open(double trace_ratio = 0) {
    CallRecordsOptions options{.journal = folder_.Path("journal"),
                               .trace_file = folder_.Path("spans"),
                               .trace_ratio = trace_ratio,
                               .seed = 1};
    auto files = OpenRecordFiles(options);
    ASSERT_TRUE(files.ok()) << files.status();
    records_ = std::make_unique<CallRecords>(options, *std::move(files),
                                             &metrics_, &clock_);
  }

  std::vector<std::string> Lines(const std::string& file) {
    records_->Flush();
    return absl::StrSplit(testing::ReadFileForTest(folder_.Path(file)), '\n',
                          absl::SkipEmpty());
  }

  testing::TempDir folder_;
  SimulatedClock clock_;
  Admission admission_{{}};
  Metrics metrics_{&admission_};
  std::unique_ptr<CallRecords> records_;
};

TEST_F(CallRecordsTest, TheJournalHasALineARequestInTheLoadClientsForm) {
  Open();
  CallInfo call = records_->Begin(Protocol::kGrpc, "run-7", "");
  call.crc = 0xabc07;
  clock_.Advance(std::chrono::milliseconds(1500));
  records_->End(call, {.status = absl::OkStatus(), .model = "m", .version = 3});
  records_->End(records_->Begin(Protocol::kV2, "run-8", ""),
                {.status = Error(Reason::kQueueFull)});
  EXPECT_THAT(Lines("journal"),
              ::testing::ElementsAre(
                  "id,planned_s,sent_s,done_s,code,version,crc32",
                  "run-7,0.000000,0.000000,1.500000,OK,3,000abc07",
                  "run-8,1.500000,1.500000,1.500000,RESOURCE_EXHAUSTED,0,"
                  "00000000"));
}

TEST_F(CallRecordsTest, AnIdThatIsNotSaneIsReplaced) {
  Open();
  for (const char* id : {"", "a,b", "x\ny"}) {
    EXPECT_THAT(records_->Begin(Protocol::kGrpc, id, "").id,
                MatchesRegex("[0-9a-f]{16}"));
  }
}

TEST_F(CallRecordsTest, AnItemHasItsOwnIdOrOneOfItsStreams) {
  Open();
  const CallInfo stream =
      records_->BeginStream(Protocol::kGrpc, "stream", kSampled);
  EXPECT_EQ(records_->BeginItem(stream, "run-3").id, "run-3");
  const CallInfo item = records_->BeginItem(stream, "a b");
  EXPECT_THAT(item.id, MatchesRegex("stream\\.[0-9a-f]{16}"));
  EXPECT_EQ(item.trace.trace_id, stream.trace.trace_id);
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("requests_started_total{protocol=\"grpc\"} 2\n"))
      << "the stream itself is no request";
}

TEST_F(CallRecordsTest, ASampledRequestIsASpanWithItsStagesBelow) {
  Open();
  const CallInfo call = records_->Begin(Protocol::kGrpc, "run-7", kSampled);
  clock_.Advance(std::chrono::milliseconds(10));
  const Receipt receipt{.decode = std::chrono::milliseconds(2),
                        .queue = std::chrono::milliseconds(3),
                        .inference = std::chrono::milliseconds(4),
                        .total = std::chrono::milliseconds(10),
                        .batch_size = 5};
  records_->End(call, {.status = absl::OkStatus(),
                       .model = "m",
                       .version = 3,
                       .receipt = &receipt});
  const auto lines = Lines("spans");
  ASSERT_EQ(lines.size(), 1u);
  const json spans =
      json::parse(lines[0])["resourceSpans"][0]["scopeSpans"][0]["spans"];
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(spans[0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(spans[0]["parentSpanId"], "00f067aa0ba902b7");
  EXPECT_EQ(spans[0]["kind"], 2);
  const auto begin = [&spans](int i) {
    return std::stoll(spans[i]["startTimeUnixNano"].get<std::string>());
  };
  const auto end = [&spans](int i) {
    return std::stoll(spans[i]["endTimeUnixNano"].get<std::string>());
  };
  EXPECT_EQ(end(0) - begin(0), 10'000'000);
  EXPECT_EQ(spans[1]["name"], "decode");
  EXPECT_EQ(begin(1), begin(0));
  EXPECT_EQ(spans[2]["name"], "queue");
  EXPECT_EQ(begin(2), end(1));
  EXPECT_EQ(spans[3]["name"], "inference");
  EXPECT_EQ(end(3) - begin(0), 9'000'000);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(spans[i]["parentSpanId"], spans[0]["spanId"]);
    EXPECT_EQ(spans[i]["traceId"], spans[0]["traceId"]);
  }
  EXPECT_THAT(lines[0], HasSubstr(R"({"key":"request.id","value":)"
                                  R"({"stringValue":"run-7"}})"));
  EXPECT_THAT(lines[0], HasSubstr(R"({"key":"batch.size","value":)"
                                  R"({"intValue":"5"}})"));
  EXPECT_FALSE(spans[0].contains("status"));
}

TEST_F(CallRecordsTest, AFailedRequestIsASpanWithAnErrorAndNoStages) {
  Open();
  records_->End(records_->Begin(Protocol::kGrpc, "run-7", kSampled),
                {.status = Error(Reason::kLate)});
  const json spans = json::parse(
      Lines("spans")[0])["resourceSpans"][0]["scopeSpans"][0]["spans"];
  ASSERT_EQ(spans.size(), 1u);
  EXPECT_EQ(spans[0]["status"]["code"], 2);
}

TEST_F(CallRecordsTest, TheCallersFlagDecidesAndElseTheRatio) {
  Open(/*trace_ratio=*/1);
  records_->End(records_->Begin(Protocol::kGrpc, "a", kUnsampled), {});
  EXPECT_EQ(Lines("spans").size(), 0u);
  records_->End(records_->Begin(Protocol::kGrpc, "b", ""), {});
  ASSERT_EQ(Lines("spans").size(), 1u);
  EXPECT_THAT(Lines("spans")[0], Not(HasSubstr("parentSpanId")));
}

TEST_F(CallRecordsTest, AFileThatCannotBeWrittenToIsNamedWithItsSetting) {
  for (const auto& [options, start] :
       std::vector<std::pair<CallRecordsOptions, std::string>>{
           {{.journal = folder_.Path("no/j")}, "--journal: '"},
           {{.trace_file = folder_.Path("no/t")}, "--trace-file: '"}}) {
    const auto files = OpenRecordFiles(options);
    EXPECT_EQ(files.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(files.status().message()), StartsWith(start));
  }
}

TEST_F(CallRecordsTest, WhatIsDoneIsCountedByProtocol) {
  Open();
  records_->Done(Protocol::kV2);
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("requests_done_total{protocol=\"v2\"} 1\n"));
}

}  // namespace
}  // namespace groupmamba
