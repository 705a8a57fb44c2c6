// The commands against a real gRPC server with programmed answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "client/connection.h"
#include "tests/client/run_command.h"
#include "tests/testing/stub_classifier_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::grpc::health::v1::HealthCheckResponse;
using ::nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CommandsTest : public ::testing::Test {
 protected:
  // Runs "COMMAND --target <the stub> ARGS...".
  CommandResult Run(std::vector<std::string> args) {
    std::istringstream in;
    return Run(std::move(args), in);
  }
  CommandResult Run(std::vector<std::string> args, std::istream& in,
                    bool terminal = false) {
    args.insert(args.begin() + 1, {"--target", server_.address()});
    return RunCommand(args, in, terminal);
  }

  // Answers with the label whose index is the picture's first digit.
  void AnswerByContent() {
    server_.set_classify([](grpc::ServerContext*,
                            const v1::ClassifyRequest& request,
                            v1::ClassifyResponse* response) {
      const int index = request.encoded().at(0) - '0';
      StubClassifierServer::AddPrediction("?", index, 0.5f, response);
      StubClassifierServer::AddPrediction("?", 1 - index, 0.25f, response);
      return grpc::Status::OK;
    });
  }

  static std::vector<json> Lines(const std::string& out) {
    std::vector<json> lines;
    for (const absl::string_view line :
         absl::StrSplit(out, '\n', absl::SkipEmpty())) {
      lines.push_back(json::parse(line.begin(), line.end()));
    }
    return lines;
  }

  testing::TempDir folder_;
  StubClassifierServer server_{{"Bag", "Coat", "Dress"}};
};

TEST_F(CommandsTest, ClassifyPrintsATableInTheOrderOfTheArguments) {
  folder_.Write("b.png", "b");
  folder_.Write("a.jpg", "a");
  std::istringstream in("from standard input");
  const CommandResult result =
      Run({"classify", "--top-k", "2", "-", folder_.path()}, in);
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const std::string a = folder_.Path("a.jpg");
  const std::string indent(a.size(), ' ');
  EXPECT_THAT(result.out,
              StartsWith("-" + indent.substr(1) + "   75.0 %  Bag\n" + indent +
                         "   12.5 %  Coat\n" + a + "   75.0 %  Bag\n"));
  EXPECT_THAT(result.out, HasSubstr("\n3 pictures classified in "));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(CommandsTest, ClassifySendsTheBytesAndTheOptions) {
  const std::string bytes("\0\xff\x89PNG", 6);
  EXPECT_EQ(Run({"classify", "--model", "stub", "--model-version", "7",
                 "--top-k", "3", folder_.Write("x.anything", bytes)})
                .code,
            kExitOk);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].encoded(), bytes);
  EXPECT_EQ(requests[0].model(), "stub");
  EXPECT_EQ(requests[0].version(), 7);
  EXPECT_EQ(requests[0].top_k(), 3u);
}

TEST_F(CommandsTest, ClassifyJsonHasOneObjectALineAndNothingElse) {
  server_.set_classify([](grpc::ServerContext*,
                          const v1::ClassifyRequest& request,
                          v1::ClassifyResponse* response) -> grpc::Status {
    if (request.encoded() == "bad") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "not a picture"};
    }
    StubClassifierServer::AddPrediction("Coat", 1, 0.5f, response);
    return grpc::Status::OK;
  });
  const std::string good = folder_.Write("1.png", "good");
  const std::string bad = folder_.Write("2.png", "bad");
  const std::string missing = folder_.Path("3.png");
  const CommandResult result = Run({"classify", "--json", good, bad, missing});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.err, IsEmpty());
  const std::vector<json> lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["path"], good);
  EXPECT_EQ(lines[0]["model"], "stub");
  EXPECT_EQ(lines[0]["version"], 7);
  EXPECT_EQ(lines[0]["predictions"][0]["label"], "Coat");
  EXPECT_GT(lines[0]["timing_ms"]["round_trip"], 0);
  EXPECT_EQ(
      lines[1],
      json({{"path", bad},
            {"error",
             {{"code", "INVALID_ARGUMENT"}, {"message", "not a picture"}}}}));
  EXPECT_EQ(lines[2]["error"]["code"], "NOT_FOUND");
}

TEST_F(CommandsTest, ClassifyKeepsTheOrderWhenALaterPictureIsAnsweredFirst) {
  Mutex mutex;
  CondVar changed;
  bool second_came = false;
  server_.set_classify([&](grpc::ServerContext*,
                           const v1::ClassifyRequest& request,
                           v1::ClassifyResponse* response) {
    MutexLock lock(&mutex);
    if (request.encoded() == "second") {
      second_came = true;
      changed.NotifyAll();
    }
    while (!second_came) changed.Wait(&mutex);
    StubClassifierServer::AddPrediction(request.encoded(), 0, 1, response);
    return grpc::Status::OK;
  });
  const CommandResult result =
      Run({"classify", "--json", folder_.Write("1", "first"),
           folder_.Write("2", "second")});
  const std::vector<json> lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["predictions"][0]["label"], "first");
  EXPECT_EQ(lines[1]["predictions"][0]["label"], "second");
}

TEST_F(CommandsTest, ClassifyRefusesAFileAboveTheCapWithoutSendingIt) {
  const std::string large = folder_.Write("large.png", "");
  std::filesystem::resize_file(large, uint64_t{1} << 40);  // sparse
  const CommandResult result =
      Run({"classify", large, folder_.Write("small.png", "s")});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.err, HasSubstr("large.png: INVALID_ARGUMENT: larger"));
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(CommandsTest, APictureOfTheCapFitsIntoAMessage) {
  const std::string largest = folder_.Write("largest.png", "");
  std::filesystem::resize_file(largest, kMaxPictureBytes);
  EXPECT_EQ(Run({"classify", largest}).code, kExitOk);
}

TEST_F(CommandsTest, ARefusalOfAFullServerIsRetriedAfterItsPushBack) {
  std::atomic<int> attempts = 0;
  server_.set_classify([&](grpc::ServerContext* context,
                           const v1::ClassifyRequest&,
                           v1::ClassifyResponse* response) -> grpc::Status {
    if (++attempts <= 3) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full"};
    }
    StubClassifierServer::AddPrediction("Bag", 0, 1, response);
    return grpc::Status::OK;
  });
  // Larger than gRPC's own retry buffer, beyond which it would not retry.
  const std::string picture = folder_.Write("a.png", std::string(1 << 20, 'x'));
  EXPECT_EQ(Run({"classify", picture}).code, kExitOk);
  EXPECT_EQ(attempts, 4);
}

TEST_F(CommandsTest, RetriesEndAfterFiveAttempts) {
  std::atomic<int> attempts = 0;
  server_.set_classify([&](grpc::ServerContext* context,
                           const v1::ClassifyRequest&,
                           v1::ClassifyResponse*) -> grpc::Status {
    ++attempts;
    context->AddTrailingMetadata("grpc-retry-pushback-ms", "1");
    return {grpc::StatusCode::UNAVAILABLE, "draining"};
  });
  const CommandResult result = Run({"classify", folder_.Write("a.png", "x")});
  // The server is there, although it does not serve: not exit code 4.
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.err, HasSubstr("a.png: UNAVAILABLE: draining"));
  EXPECT_EQ(attempts, 5);
}

TEST_F(CommandsTest, APictureAtFaultIsNotRetried) {
  server_.set_classify([](grpc::ServerContext*, const v1::ClassifyRequest&,
                          v1::ClassifyResponse*) -> grpc::Status {
    return {grpc::StatusCode::INVALID_ARGUMENT, "not a picture"};
  });
  Run({"classify", folder_.Write("a.png", "x")});
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(CommandsTest, ADeadlineEndsACallThatIsNotAnswered) {
  Mutex mutex;
  CondVar changed;
  bool released = false;
  server_.set_classify([&](grpc::ServerContext*, const v1::ClassifyRequest&,
                           v1::ClassifyResponse*) {
    MutexLock lock(&mutex);
    while (!released) changed.Wait(&mutex);
    return grpc::Status::OK;
  });
  const CommandResult result =
      Run({"classify", "--deadline-ms", "20", folder_.Write("a.png", "x")});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.err, HasSubstr("DEADLINE_EXCEEDED"));
  {
    MutexLock lock(&mutex);
    released = true;
    changed.NotifyAll();
  }
  server_.Stop();  // the answer's last thread uses what ends here
}

// Standard input that does something when it is first read.
class ActingInput : public std::streambuf {
 public:
  explicit ActingInput(std::function<void()> act) : act_(std::move(act)) {}

 private:
  int_type underflow() override {
    act_();
    return traits_type::eof();
  }
  const std::function<void()> act_;
};

TEST_F(CommandsTest, AServerThatGoesAwayEndsTheRunAsUnreachable) {
  ActingInput input([this] { server_.Stop(); });
  std::istream in(&input);
  const std::string picture = folder_.Write("a.png", "x");
  const CommandResult result = Run(
      {"classify", "--concurrency", "1", picture, "-", picture, picture}, in);
  EXPECT_EQ(result.code, kExitUnreachable);
  EXPECT_THAT(result.out, HasSubstr("75.0 %  Bag"));
  EXPECT_THAT(result.err, HasSubstr("cannot be reached"));
}

TEST_F(CommandsTest, EvaluateCountsAccuracyAndConfusion) {
  AnswerByContent();
  folder_.Write("Bag/1.png", "0");
  folder_.Write("Bag/2.png", "1");
  folder_.Write("Bag/3.png", "0");
  folder_.Write("Coat/1.png", "1");
  const CommandResult result = Run({"evaluate", "--json", folder_.path()});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["images"], 4);
  EXPECT_EQ(report["top1"], 0.75);
  EXPECT_EQ(report["top5"], 1.0);
  EXPECT_EQ(report["confusion"],
            json::parse(R"({"Bag":{"Bag":2,"Coat":1},"Coat":{"Coat":1}})"));
  EXPECT_EQ(report["failed"], 0);
  EXPECT_GT(report["images_per_s"], 0);
}

TEST_F(CommandsTest, EvaluateStaysWithOneVersionOfTheModel) {
  folder_.Write("Bag/1.png", "0");
  Run({"evaluate", folder_.path()});
  ASSERT_EQ(server_.requests().size(), 1u);
  EXPECT_EQ(server_.requests()[0].model(), "stub");
  EXPECT_EQ(server_.requests()[0].version(), 7);
}

TEST_F(CommandsTest, EvaluateCountsFailuresApartAndExitsWithOne) {
  server_.set_classify([](grpc::ServerContext*,
                          const v1::ClassifyRequest& request,
                          v1::ClassifyResponse* response) -> grpc::Status {
    if (request.encoded() == "bad") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "not a picture"};
    }
    StubClassifierServer::AddPrediction("Bag", 0, 1, response);
    return grpc::Status::OK;
  });
  folder_.Write("Bag/1.png", "good");
  folder_.Write("Bag/2.png", "bad");
  const CommandResult result = Run({"evaluate", folder_.path()});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.out, HasSubstr("model stub, version 7\n1 pictures in"));
  EXPECT_THAT(result.out, HasSubstr("top-1  100.00 %"));
  EXPECT_THAT(result.out,
              HasSubstr("1 failed and count in no figure: INVALID_ARGUMENT: "
                        "not a picture"));
}

TEST_F(CommandsTest, EvaluateRefusesAFolderThatIsNoLabelBeforeItSendsAnything) {
  folder_.Write("Bag/1.png", "0");
  folder_.Write("Handbag/1.png", "0");
  const CommandResult result = Run({"evaluate", folder_.path()});
  EXPECT_EQ(result.code, kExitWrongUsage);
  EXPECT_THAT(result.err, HasSubstr("'Handbag' is no label of the model"));
  EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(CommandsTest, EvaluateShowsProgressOnATerminalAndOnlyThere) {
  folder_.Write("Bag/1.png", "0");
  std::istringstream in;
  EXPECT_THAT(Run({"evaluate", folder_.path()}, in, true).err,
              HasSubstr("1 / 1"));
  EXPECT_THAT(Run({"evaluate", folder_.path()}).err, IsEmpty());
}

TEST_F(CommandsTest, HealthExitsZeroOnlyWhenServing) {
  const CommandResult serving = Run({"health"});
  EXPECT_EQ(serving.code, kExitOk);
  EXPECT_EQ(serving.out, "SERVING\n");
  server_.set_health(HealthCheckResponse::NOT_SERVING);
  const CommandResult draining = Run({"health"});
  EXPECT_EQ(draining.code, kExitSomeFailed);
  EXPECT_EQ(draining.out, "NOT_SERVING\n");
  const CommandResult unknown = Run({"health", "--service", "nobody"});
  EXPECT_EQ(unknown.code, kExitSomeFailed);
  EXPECT_THAT(unknown.err, HasSubstr("knows no service 'nobody'"));
}

TEST_F(CommandsTest, ModelsListsEachOnALine) {
  EXPECT_THAT(Run({"models"}).out, HasSubstr("\nstub   7        ready"));
  const std::vector<json> lines = Lines(Run({"models", "--json"}).out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["name"], "stub");
}

TEST_F(CommandsTest, MetadataHasInputSizeAndLabels) {
  EXPECT_THAT(Run({"metadata"}).out, HasSubstr("3: Bag, Coat, Dress\n"));
  const json metadata = json::parse(Run({"metadata", "--json"}).out);
  EXPECT_EQ(metadata["input_height"], 48);
  EXPECT_THAT(metadata["labels"], ElementsAre("Bag", "Coat", "Dress"));
  const CommandResult unknown = Run({"metadata", "--model", "other"});
  EXPECT_EQ(unknown.code, kExitSomeFailed);
  EXPECT_THAT(unknown.err, HasSubstr("NOT_FOUND: no such model"));
}

TEST_F(CommandsTest, EveryCommandSaysWhatToDoWhenNobodyIsThere) {
  server_.Stop();
  const std::string picture = folder_.Write("Bag/1.png", "0");
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {"classify", picture},
           {"evaluate", folder_.path()},
           {"models"},
           {"metadata"},
           {"health"},
           {"load", "--rate", "1", picture}}) {
    const CommandResult result = Run(args);
    EXPECT_EQ(result.code, kExitUnreachable) << args[0];
    EXPECT_THAT(result.err, HasSubstr("cannot be reached. Is it running?"));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST(UsageTest, AWrongArgumentIsNamedAndExitsWithTwo) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {},
           {"classfy"},
           {"classify"},
           {"classify", "--top-k", "0", "a.png"},
           {"classify", "--top-k", "many", "a.png"},
           {"classify", "--model-version", "0", "a.png"},
           {"classify", "--no-such-flag", "a.png"},
           {"evaluate", "/no/such/folder"}}) {
    const CommandResult result = RunCommand(args);
    EXPECT_EQ(result.code, kExitWrongUsage);
    EXPECT_THAT(result.err, Not(IsEmpty()));
    EXPECT_THAT(result.out, IsEmpty());
  }
  EXPECT_THAT(RunCommand({"classify", "--top-k", "0", "a.png"}).err,
              HasSubstr("--top-k"));
}

TEST(UsageTest, HelpOfEveryCommandTeachesByExample) {
  EXPECT_THAT(RunCommand({"--help"}).out, HasSubstr("Exit codes"));
  for (const char* command :
       {"classify", "evaluate", "load", "models", "metadata", "health"}) {
    const CommandResult result = RunCommand({command, "--help"});
    EXPECT_EQ(result.code, kExitOk);
    EXPECT_THAT(result.out, HasSubstr("Example")) << command;
    EXPECT_THAT(result.out, HasSubstr("localhost:8001")) << command;
  }
}

TEST_F(CommandsTest, AnOptionCanComeFromTheEnvironmentAndAFlagWins) {
  ASSERT_EQ(setenv("GROUPMAMBA_TARGET", server_.address().c_str(), 1), 0);
  EXPECT_EQ(RunCommand({"health"}).code, kExitOk);
  EXPECT_EQ(RunCommand({"health", "--target", "127.0.0.1:1"}).code,
            kExitUnreachable);
  unsetenv("GROUPMAMBA_TARGET");
}

}  // namespace
}  // namespace groupmamba::client
