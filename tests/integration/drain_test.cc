// The server's process: how it ends when it is told to, under load, and how it
// fails to start.

#include <signal.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "tests/testing/metrics_reader.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const char kServer[] = GM_BIN_DIR "/groupmamba-server";

class DrainTest : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> arguments) {
    for (const char* argument :
         {"--listen=127.0.0.1:0", "--metrics=127.0.0.1:0"}) {
      arguments.push_back(argument);
    }
    server_ = std::make_unique<ServerProcess>(kServer, arguments);
    ASSERT_TRUE(server_->AwaitServing());
    stub_ = v1::Classifier::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                            grpc::InsecureChannelCredentials()));
  }

  grpc::Status Classify() {
    v1::ClassifyRequest request;
    request.mutable_raw()->set_width(1);
    request.mutable_raw()->set_height(1);
    request.mutable_raw()->set_rgb("rgb");
    v1::ClassifyResponse response;
    grpc::ClientContext context;
    return stub_->Classify(&context, request, &response);
  }

  // Starts that many calls and waits until the server has let all of them in.
  void StartCalls(int count) {
    statuses_.resize(count);
    for (int i = 0; i < count; ++i) {
      callers_.emplace_back([this, i] { statuses_[i] = Classify(); });
    }
    while (LetIn() < count) {
    }
  }

  // Requests that wait, and pictures that the model was given. One that is just
  // going from here to there counts as neither.
  int LetIn() const {
    const std::string page = ReadMetricsPage(server_->metrics_port());
    return ValueOf("groupmamba_images_total{model=\"fake\"}", page) +
           ValueOf("groupmamba_queue_depth", page);
  }

  static int ValueOf(const std::string& metric, const std::string& page) {
    const size_t at = page.find("\n" + metric + " ");
    if (at == std::string::npos) return 0;
    return std::atoi(page.c_str() + at + 1 + metric.size());
  }

  // How many of the calls were answered with a label; the others must have been
  // told that the server drains.
  int AwaitCalls() {
    int answered = 0;
    for (size_t i = 0; i < callers_.size(); ++i) {
      callers_[i].join();
      if (statuses_[i].ok()) {
        ++answered;
      } else {
        EXPECT_EQ(statuses_[i].error_code(), grpc::StatusCode::UNAVAILABLE);
        EXPECT_THAT(statuses_[i].error_message(), StartsWith("draining: "));
      }
    }
    return answered;
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<v1::Classifier::Stub> stub_;
  std::vector<grpc::Status> statuses_;
  std::vector<std::thread> callers_;
};

TEST_F(DrainTest, AfterSigtermEverythingThatWasAcceptedIsAnswered) {
  StartServer({"--engine=fake:100", "--max-batch=4"});
  StartCalls(20);
  server_->Signal(SIGTERM);
  EXPECT_EQ(AwaitCalls(), 20);
  EXPECT_THAT(server_->AwaitLine("drained"), HasSubstr("drained"));
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(DrainTest, SigintDrainsToo) {
  StartServer({"--engine=fake:100", "--max-batch=4"});
  StartCalls(6);
  server_->Signal(SIGINT);
  EXPECT_EQ(AwaitCalls(), 6);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(DrainTest, WhileItDrainsNewCallsAreUnavailable) {
  StartServer({"--engine=fake:1000", "--max-batch=1"});
  StartCalls(2);
  server_->Signal(SIGTERM);
  server_->AwaitLine(" draining ");
  grpc::Status status = Classify();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(AwaitCalls(), 2);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(DrainTest, ASecondSignalSparesOnlyTheBatchThatRuns) {
  StartServer({"--engine=fake:1000", "--max-batch=1"});
  StartCalls(5);
  server_->Signal(SIGTERM);
  server_->AwaitLine(" draining ");
  server_->Signal(SIGTERM);
  EXPECT_LT(AwaitCalls(), 5);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(DrainTest, NearItsEndOnlyTheBatchThatRunsIsWaitedFor) {
  // A quarter of the grace is left for that.
  StartServer({"--engine=fake:1000", "--max-batch=1", "--drain-grace-s=4"});
  StartCalls(5);
  server_->Signal(SIGTERM);
  const int answered = AwaitCalls();
  EXPECT_GE(answered, 1);
  EXPECT_LT(answered, 5);
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(DrainTest, WhoIsInAModelThatHangsIsToldBeforeTheProcessEnds) {
  StartServer({"--engine=fake:1500", "--max-batch=1", "--drain-grace-s=0.2"});
  StartCalls(3);
  server_->Signal(SIGTERM);
  EXPECT_EQ(AwaitCalls(), 0);
  EXPECT_EQ(server_->Wait(), 1);
}

TEST_F(DrainTest, AModelThatHangsEndsTheProcessToBeReplaced) {
  StartServer({"--engine=fake:1500", "--max-batch=1", "--hang-s=0.1",
               "--default-deadline-ms=100", "--drain-grace-s=0.2"});
  const grpc::Status status = Classify();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(server_->AwaitLine("the model hangs"), HasSubstr("seconds="));
  EXPECT_EQ(server_->Wait(), 1);
}

TEST_F(DrainTest, ItServesOnWhileItLingersAndASecondSignalEndsThat) {
  StartServer(
      {"--engine=fake:1", "--drain-linger-s=300", "--drain-grace-s=600"});
  server_->Signal(SIGTERM);
  server_->AwaitLine(" lingering ");
  EXPECT_TRUE(Classify().ok());
  server_->Signal(SIGTERM);
  EXPECT_THAT(server_->AwaitLine("drained"), HasSubstr("drained"));
  EXPECT_EQ(server_->Wait(), 0);
}

TEST(StartTest, WrongUsageEndsWithTwoAndASentence) {
  ServerProcess server(kServer, {"--max-batch", "0"});
  EXPECT_THAT(server.AwaitLine("groupmamba-server:"), HasSubstr("--max-batch"));
  EXPECT_EQ(server.Wait(), 2);
}

TEST(StartTest, ADeviceThatIsNotThereEndsWithTwoAndTheReason) {
  // Of more GPUs than a machine has, so that one with a GPU says it too.
  ServerProcess server(
      kServer, {"--models", GM_SOURCE_DIR "/models", "--device", "cuda:99"});
  EXPECT_THAT(server.AwaitLine("groupmamba-server:"), HasSubstr("cuda:99"));
  EXPECT_EQ(server.Wait(), 2);
}

TEST(StartTest, AFolderWithoutModelsEndsWithOneAndASentence) {
  const testing::TempDir folder;
  ServerProcess server(kServer, {"--models", folder.path()});
  EXPECT_THAT(server.AwaitLine("cannot serve"), HasSubstr("no model in"));
  EXPECT_EQ(server.Wait(), 1);
}

}  // namespace
}  // namespace groupmamba
