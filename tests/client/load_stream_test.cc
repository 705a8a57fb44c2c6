// `load --stream` against a real gRPC server with programmed answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/load/stream_target.h"
#include "tests/client/run_command.h"
#include "tests/testing/stub_classifier_server.h"
#include "tests/testing/stub_v2_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;

class LoadStreamTest : public ::testing::Test {
 protected:
  CommandResult Load(std::vector<std::string> args) {
    args.insert(args.begin(),
                {"load", "--target", server_.address(), "--duration", "0.2",
                 "--warmup", "0", "--synthetic", "2x2", "--raw"});
    return RunCommand(args);
  }

  testing::TempDir folder_;
  StubClassifierServer server_{{"Bag", "Coat"}};
};

TEST_F(LoadStreamTest, EveryItemIsACallOfItsOwn) {
  const std::string journal = folder_.Path("journal.csv");
  const CommandResult result =
      Load({"--rate", "200", "--arrivals", "constant", "--stream", "3",
            "--connections", "2", "--journal", journal, "--json", "-"});
  // Not the exit code: it is 1 where this machine was late.
  ASSERT_FALSE(result.out.empty()) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["plan"]["streams"], 3);
  EXPECT_EQ(report["ok"], report["planned"]);
  EXPECT_GT(report["ok"], 0);
  EXPECT_EQ(report["server_mean"]["batch_size"], 2.0) << "the receipt is read";
  EXPECT_EQ(report["versions"]["7"], report["ok"]);
  const auto requests = server_.requests();
  EXPECT_EQ(requests.size(), report["ok"].get<size_t>());
  ASSERT_FALSE(requests.empty());
  EXPECT_EQ(requests[0].raw().rgb().size(), 2u * 2 * 3);
  EXPECT_THAT(testing::ReadFileForTest(journal), HasSubstr("-0,"));
}

TEST_F(LoadStreamTest, AnItemThatFailsHasItsOwnCode) {
  std::atomic<int> calls = 0;
  server_.set_classify([&calls](grpc::ServerContext*,
                                const v1::ClassifyRequest&,
                                v1::ClassifyResponse*) -> grpc::Status {
    if (calls++ == 1) return {grpc::StatusCode::INVALID_ARGUMENT, "corrupt"};
    return grpc::Status::OK;
  });
  const json report = json::parse(
      Load({"--concurrency", "1", "--stream", "1", "--json", "-"}).out);
  EXPECT_EQ(report["failed"], 1);
  EXPECT_EQ(report["codes"]["INVALID_ARGUMENT"], 1);
  EXPECT_GT(report["ok"], 0);
}

TEST_F(LoadStreamTest, AStreamThatEndsFailsItsItemsAndIsReplaced) {
  std::atomic<int> calls = 0;
  server_.set_classify([&calls](grpc::ServerContext* context,
                                const v1::ClassifyRequest&,
                                v1::ClassifyResponse*) {
    if (calls++ == 2) context->TryCancel();
    return grpc::Status::OK;
  });
  const json report = json::parse(
      Load({"--concurrency", "1", "--stream", "1", "--json", "-"}).out);
  EXPECT_EQ(report["codes"]["CANCELLED"], 1);
  EXPECT_GT(report["ok"], 2);
}

TEST_F(LoadStreamTest, AnItemWithoutAnAnswerEndsAtItsDeadline) {
  server_.set_classify([](grpc::ServerContext* context,
                          const v1::ClassifyRequest&, v1::ClassifyResponse*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  });
  const json report =
      json::parse(Load({"--rate", "20", "--arrivals", "constant", "--stream",
                        "1", "--deadline-ms", "50", "--json", "-"})
                      .out);
  EXPECT_EQ(report["ok"], 0);
  EXPECT_EQ(report["codes"]["DEADLINE_EXCEEDED"], report["planned"]);
  EXPECT_LT(report["failed_latency_ms"]["p50"].get<double>(), 1000);
}

TEST_F(LoadStreamTest, RetriesAreOfCallsOnly) {
  const CommandResult result =
      Load({"--rate", "1", "--stream", "1", "--retries"});
  EXPECT_EQ(result.code, kExitWrongUsage);
  EXPECT_THAT(result.err, HasSubstr("--retries"));
}

TEST(LoadV2StreamTest, ItemsKeepTheirIdsAndErrors) {
  StubV2Server server({{"UINT8", {-1, 6, 4, 3}}}, std::chrono::milliseconds(1));
  const CommandResult result = RunCommand({"load",
                                           "--protocol",
                                           "v2",
                                           "--target",
                                           server.address(),
                                           "--model",
                                           "stub",
                                           "--duration",
                                           "0.2",
                                           "--warmup",
                                           "0",
                                           "--concurrency",
                                           "2",
                                           "--stream",
                                           "2",
                                           "--synthetic",
                                           "4x6",
                                           "--raw",
                                           "--json",
                                           "-"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_GT(json::parse(result.out)["ok"], 0);
  ASSERT_FALSE(server.requests().empty());
  EXPECT_EQ(server.requests().front().raw_input_contents(0).size(), 6u * 4 * 3);
}

TEST(FieldHeadTest, IsATagAndALength) {
  EXPECT_EQ(FieldHead(2, 5), "\x12\x05");
  EXPECT_EQ(FieldHead(2, 300), "\x12\xac\x02");
  EXPECT_EQ(FieldHead(16, 0), std::string("\x82\x01\x00", 3));
}

}  // namespace
}  // namespace groupmamba::client
