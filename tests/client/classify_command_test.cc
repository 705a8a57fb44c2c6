#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "client/connection.h"
#include "tests/client/commands_fixture.h"

namespace groupmamba::client {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using ClassifyCommandTest = CommandsTest;

TEST_F(ClassifyCommandTest, PrintsATableInTheOrderOfTheArguments) {
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

TEST_F(ClassifyCommandTest, SendsTheBytesAndTheOptions) {
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

TEST_F(ClassifyCommandTest, JsonHasOneObjectALineAndNothingElse) {
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

TEST_F(ClassifyCommandTest, KeepsTheOrderWhenALaterPictureIsAnsweredFirst) {
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

TEST_F(ClassifyCommandTest, RefusesAFileAboveTheCapWithoutSendingIt) {
  const std::string large = folder_.Write("large.png", "");
  std::filesystem::resize_file(large, uint64_t{1} << 40);  // sparse
  const CommandResult result =
      Run({"classify", large, folder_.Write("small.png", "s")});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.err, HasSubstr("large.png: INVALID_ARGUMENT: larger"));
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(ClassifyCommandTest, APictureOfTheCapFitsIntoAMessage) {
  const std::string largest = folder_.Write("largest.png", "");
  std::filesystem::resize_file(largest, kMaxPictureBytes);
  EXPECT_EQ(Run({"classify", largest}).code, kExitOk);
}

TEST_F(ClassifyCommandTest, ARefusalOfAFullServerIsRetriedAfterItsPushBack) {
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

TEST_F(ClassifyCommandTest, RetriesEndAfterFiveAttempts) {
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

TEST_F(ClassifyCommandTest, APictureAtFaultIsNotRetried) {
  server_.set_classify([](grpc::ServerContext*, const v1::ClassifyRequest&,
                          v1::ClassifyResponse*) -> grpc::Status {
    return {grpc::StatusCode::INVALID_ARGUMENT, "not a picture"};
  });
  Run({"classify", folder_.Write("a.png", "x")});
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(ClassifyCommandTest, ADeadlineEndsACallThatIsNotAnswered) {
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

TEST_F(ClassifyCommandTest, AServerThatGoesAwayEndsTheRunAsUnreachable) {
  ActingInput input([this] { server_.Stop(); });
  std::istream in(&input);
  const std::string picture = folder_.Write("a.png", "x");
  const CommandResult result = Run(
      {"classify", "--concurrency", "1", picture, "-", picture, picture}, in);
  EXPECT_EQ(result.code, kExitUnreachable);
  EXPECT_THAT(result.out, HasSubstr("75.0 %  Bag"));
  EXPECT_THAT(result.err, HasSubstr("cannot be reached"));
}

}  // namespace
}  // namespace groupmamba::client
