// `load` against a real gRPC server with programmed answers. The runs are
// short; what they measure is tested in load/runner_test.cc, by simulation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/client/run_command.h"
#include "tests/testing/stub_classifier_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LoadCommandTest : public ::testing::Test {
 protected:
  // Runs "load --target <the stub> --duration 0.2 --warmup 0 ARGS...".
  CommandResult Load(std::vector<std::string> args) {
    args.insert(args.begin(), {"load", "--target", server_.address(),
                               "--duration", "0.2", "--warmup", "0"});
    return RunCommand(args);
  }

  testing::TempDir folder_;
  StubClassifierServer server_{{"Bag", "Coat"}};
};

TEST_F(LoadCommandTest, AClosedLoopWithAMadePictureReportsInText) {
  const CommandResult result =
      Load({"--concurrency", "2", "--synthetic", "4x6", "--raw"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_THAT(result.out, HasSubstr("closed loop, 2 callers"));
  EXPECT_THAT(result.out, HasSubstr("stub version 7"));
  const auto requests = server_.requests();
  ASSERT_FALSE(requests.empty());
  EXPECT_EQ(requests[0].raw().width(), 4u);
  EXPECT_EQ(requests[0].raw().height(), 6u);
  EXPECT_EQ(requests[0].raw().rgb().size(), 4u * 6 * 3);
  EXPECT_EQ(requests[0].version(), 0) << "one that comes meanwhile may answer";
}

TEST_F(LoadCommandTest, AVersionIsAskedForIfItIsGiven) {
  const CommandResult result = Load({"--concurrency", "1", "--model-version",
                                     "7", "--synthetic", "4x6", "--raw"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(server_.requests()[0].version(), 7);
}

TEST_F(LoadCommandTest, AnOpenLoopSendsThePicturesInTurn) {
  folder_.Write("a.png", "a");
  folder_.Write("b.png", "b");
  const CommandResult result = Load({"--rate", "500", "--arrivals", "constant",
                                     "--json", "-", folder_.path()});
  const json report = json::parse(result.out);
  EXPECT_EQ(report["planned"], 99);
  EXPECT_EQ(report["plan"]["loop"], "open");
  EXPECT_EQ(report["plan"]["arrivals"], "constant");
  EXPECT_EQ(report["ok"].get<int>() + report["failed"].get<int>() +
                report["dropped"].get<int>(),
            99);
  EXPECT_EQ(report["server_mean"]["batch_size"], 2.0);
  std::multiset<std::string> sent;
  for (const auto& request : server_.requests()) sent.insert(request.encoded());
  EXPECT_LE(std::abs(static_cast<int>(sent.count("a")) -
                     static_cast<int>(sent.count("b"))),
            1);
}

TEST_F(LoadCommandTest, RefusalsAreCountedAndNotRetried) {
  server_.set_classify([](grpc::ServerContext* context,
                          const v1::ClassifyRequest&,
                          v1::ClassifyResponse*) -> grpc::Status {
    context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
  });
  const CommandResult result = Load({"--rate", "100", "--arrivals", "constant",
                                     "--json", "-", "--synthetic", "2x2"});
  EXPECT_EQ(result.code, kExitSomeFailed);
  const json report = json::parse(result.out);
  EXPECT_EQ(report["ok"], 0);
  EXPECT_EQ(report["codes"]["RESOURCE_EXHAUSTED"], server_.requests().size());
  EXPECT_EQ(report["failed"], server_.requests().size());
}

TEST_F(LoadCommandTest, ConnectionsAreReallySeveral) {
  Mutex mutex;
  std::set<std::string> peers;
  server_.set_classify([&](grpc::ServerContext* context,
                           const v1::ClassifyRequest&, v1::ClassifyResponse*) {
    MutexLock lock(&mutex);
    peers.insert(context->peer());
    return grpc::Status::OK;
  });
  const CommandResult result =
      Load({"--rate", "200", "--arrivals", "constant", "--connections", "4",
            "--synthetic", "2x2", "--json", "-"});
  EXPECT_EQ(json::parse(result.out)["plan"]["connections"], 4);
  MutexLock lock(&mutex);
  EXPECT_EQ(peers.size(), 4u);
}

TEST_F(LoadCommandTest, SeveralServersAreCalledInTurn) {
  StubClassifierServer other({"Bag"});
  const CommandResult result = RunCommand(
      {"load", "--target", server_.address() + "," + other.address(),
       "--duration", "0.5", "--warmup", "0", "--rate", "200", "--arrivals",
       "constant", "--synthetic", "2x2", "--json", "-"});
  EXPECT_EQ(json::parse(result.out)["failed"], 0) << result.err;
  EXPECT_GT(server_.requests().size(), 20u);
  EXPECT_GT(other.requests().size(), 20u);
}

TEST_F(LoadCommandTest, RetriesAreMadeWhenAskedFor) {
  std::atomic<int> calls = 0;
  server_.set_classify([&calls](grpc::ServerContext* context,
                                const v1::ClassifyRequest&,
                                v1::ClassifyResponse*) -> grpc::Status {
    if (calls++ % 2 == 1) return grpc::Status::OK;
    context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
  });
  const CommandResult result = Load(
      {"--concurrency", "1", "--retries", "--json", "-", "--synthetic", "2x2"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["failed"], 0);
  EXPECT_GT(report["ok"], 0);
  EXPECT_EQ(report["plan"]["retries"], true);
}

TEST_F(LoadCommandTest, AMissedObjectiveIsExitCode3) {
  EXPECT_EQ(
      Load({"--concurrency", "1", "--synthetic", "2x2", "--slo", "p50=30s"})
          .code,
      kExitOk);
  const CommandResult missed =
      Load({"--concurrency", "1", "--synthetic", "2x2", "--slo", "p50=1us"});
  EXPECT_EQ(missed.code, kExitMissed);
  EXPECT_THAT(missed.out, HasSubstr("MISSED"));
}

TEST_F(LoadCommandTest, ASweepReportsEachLoad) {
  const CommandResult result =
      Load({"--sweep", "concurrency=1,3", "--synthetic", "2x2", "--json", "-"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["kind"], "sweep");
  ASSERT_EQ(report["runs"].size(), 2u);
  EXPECT_EQ(report["runs"][1]["plan"]["concurrency"], 3);
  EXPECT_GT(report["runs"][1]["ok"], 0);
}

TEST_F(LoadCommandTest, AnObjectiveThatNoRateMeetsIsExitCode3) {
  server_.set_classify([](grpc::ServerContext*, const v1::ClassifyRequest&,
                          v1::ClassifyResponse*) -> grpc::Status {
    return {grpc::StatusCode::INTERNAL, "broken"};
  });
  const CommandResult result =
      Load({"--find-slo", "p99=50ms", "--synthetic", "2x2", "--json", "-"});
  EXPECT_EQ(result.code, kExitMissed);
  const json report = json::parse(result.out);
  EXPECT_EQ(report["kind"], "search");
  EXPECT_EQ(report["search"]["rate_per_s"], 0);
  EXPECT_GE(report["search"]["trials"].size(), 2u);
}

TEST_F(LoadCommandTest, TheJournalHasEveryCallAndCanBeReplayed) {
  const std::string journal = folder_.Path("journal.csv");
  const CommandResult first = Load({"--rate", "100", "--synthetic", "2x2",
                                    "--journal", journal, "--json", "-"});
  const json report = json::parse(first.out);
  const size_t sent = server_.requests().size();
  const CommandResult again =
      Load({"--trace", journal, "--synthetic", "2x2", "--json", "-"});
  const json replay = json::parse(again.out);
  EXPECT_EQ(replay["planned"], report["planned"]) << again.err;
  EXPECT_EQ(replay["plan"]["arrivals"], "trace");
  EXPECT_EQ(server_.requests().size(), 2 * sent);
}

TEST_F(LoadCommandTest, APageHoldsTheReport) {
  const std::string file = folder_.Path("report.html");
  EXPECT_EQ(
      Load({"--concurrency", "1", "--synthetic", "2x2", "--html", file}).code,
      kExitOk);
  const std::string page = testing::ReadFileForTest(file);
  EXPECT_THAT(page, HasSubstr("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("\"kind\":\"run\""));
  EXPECT_THAT(page, HasSubstr("function lineChart("));
}

TEST_F(LoadCommandTest, TheSummaryIsAddedToWhatIsThere) {
  const std::string file = folder_.Write("summary", "# Earlier step\n");
  EXPECT_EQ(Load({"--concurrency", "1", "--synthetic", "2x2",
                  "--github-summary", file})
                .code,
            kExitOk);
  EXPECT_THAT(
      testing::ReadFileForTest(file),
      ::testing::StartsWith("# Earlier step\n### Load test passed: stub at "));
}

TEST_F(LoadCommandTest, JsonInAFileComesBesideTheText) {
  const std::string file = folder_.Path("report.json");
  const CommandResult result =
      Load({"--concurrency", "1", "--synthetic", "2x2", "--json", file});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_THAT(result.out, HasSubstr("closed loop"));
  EXPECT_GT(json::parse(testing::ReadFileForTest(file))["ok"], 0);
}

TEST_F(LoadCommandTest, WrongUsageIsNamedBeforeAnythingIsSent) {
  const std::string picture = folder_.Write("a.png", "a");
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {picture},
           {"--rate", "1", "--concurrency", "1", picture},
           {"--rate", "0", picture},
           {"--rate", "1"},
           {"--rate", "1", "--synthetic", "2x2", picture},
           {"--rate", "1", "--synthetic", "big"},
           {"--rate", "1", "--arrivals", "random", picture},
           {"--rate", "1", "--slo", "fast", picture},
           {"--find-slo", "", picture},
           {"--sweep", "rate=", picture},
           {"--concurrency", "1", "--ramp-to", "5", picture},
           {"--sweep", "rate=1", "--journal", folder_.Path("j.csv"), picture},
           {"--trace", folder_.Path("missing.csv"), picture},
           {"--rate", "1", "--model", "a=0", picture},
           {"--rate", "1", "--html", "report.png", picture},
           {"--rate", "1", "--json", folder_.Path("no/report.json"), picture},
           {"--rate", "1", "--target", "localhost:1,nowhere.invalid:2",
            picture},
           {"--rate", "1", folder_.Path("missing.png")}}) {
    const CommandResult result = Load(args);
    EXPECT_EQ(result.code, kExitWrongUsage) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
  }
  EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(LoadCommandTest, AReportCannotOverwriteAPicture) {
  const std::string picture = folder_.Write("a.png", "a");
  const CommandResult result =
      Load({"--rate", "1", "--synthetic", "2x2", "--json", picture});
  EXPECT_EQ(result.code, kExitWrongUsage);
  EXPECT_EQ(testing::ReadFileForTest(picture), "a");
}

}  // namespace
}  // namespace groupmamba::client
