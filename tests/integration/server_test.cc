// The server as a client sees it, but for bad input: bad_input_test.cc.

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "model/manifest.h"
#include "tests/integration/puppet_server_fixture.h"
#include "tests/testing/metrics_reader.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

constexpr uint8_t kGray = 9;

class ServerTest : public PuppetServerFixture {};

TEST_F(ServerTest, APictureComesBackWithItsLabelsAndItsReceipt) {
  Start();
  v1::ClassifyResponse response;
  const grpc::Status status = ClassifyFile(MakePng(64, 48, 1), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.model(), "fake");
  EXPECT_EQ(response.version(), 1);
  ASSERT_EQ(response.predictions_size(), 5);
  for (int i = 1; i < 5; ++i) {
    EXPECT_GE(response.predictions(i - 1).probability(),
              response.predictions(i).probability());
  }
  const v1::Prediction& best = response.predictions(0);
  EXPECT_EQ(best.label(), "class " + std::to_string(best.index()));
  const v1::Timing& timing = response.timing();
  EXPECT_EQ(timing.batch_size(), 1);
  EXPECT_GT(timing.decode_ms(), 0);
  EXPECT_GE(timing.total_ms(),
            timing.decode_ms() + timing.queue_ms() + timing.inference_ms());
}

TEST_F(ServerTest, TheSamePictureGetsTheSameAnswerAndAnotherADifferentOne) {
  Start();
  const auto probability = [&](int seed) {
    v1::ClassifyResponse response;
    EXPECT_TRUE(ClassifyFile(MakePng(40, 40, seed), &response).ok());
    return response.predictions(0).probability();
  };
  EXPECT_EQ(probability(1), probability(1));
  EXPECT_NE(probability(1), probability(2));
}

TEST_F(ServerTest, PixelsAreResizedAndCroppedLikeTheFileThatHoldsThem) {
  Start();
  const std::string file = MakePng(32, 32, 3);
  v1::ClassifyResponse of_file;
  ASSERT_TRUE(ClassifyFile(file, &of_file).ok());
  v1::ClassifyRequest request;
  std::string pixels;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      for (int c = 0; c < 3; ++c) {
        pixels.push_back(static_cast<char>(x * (c + 1) + y * 2 + 3 * 37));
      }
    }
  }
  request.mutable_raw()->set_width(32);
  request.mutable_raw()->set_height(32);
  request.mutable_raw()->set_rgb(pixels);
  v1::ClassifyResponse of_pixels;
  ASSERT_TRUE(Classify(request, &of_pixels).ok());
  for (v1::ClassifyResponse* response : {&of_file, &of_pixels}) {
    response->clear_timing();
    response->clear_request_id();
  }
  EXPECT_EQ(of_file.SerializeAsString(), of_pixels.SerializeAsString());
}

TEST_F(ServerTest, TopKGivesThatManyPredictions) {
  Start();
  v1::ClassifyRequest request = PlainPicture(kGray);
  for (const auto& [asked, given] :
       std::vector<std::pair<uint32_t, int>>{{0, 5}, {1, 1}, {99, 10}}) {
    request.set_top_k(asked);
    v1::ClassifyResponse response;
    ASSERT_TRUE(Classify(request, &response).ok());
    EXPECT_EQ(response.predictions_size(), given);
  }
}

TEST_F(ServerTest, ADeadlineThatPassesIsDeadlineExceededAndFreesThePlace) {
  StartAndOccupy(Options());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  v1::ClassifyResponse response;
  EXPECT_EQ(
      classifier_->Classify(&context, PlainPicture(2), &response).error_code(),
      grpc::StatusCode::DEADLINE_EXCEEDED);
  // The server sees it too, although its instance is still held; only the first
  // request is inside then.
  while (server_->usage().in_flight > 1) std::this_thread::yield();
  puppet_.ReleaseAll();
  AwaitFirst();
  EXPECT_EQ(puppet_.calls_left(), 0);
}

TEST_F(ServerTest, ACallThatIsCancelledWhileWaitingIsNotComputed) {
  StartAndOccupy(Options());
  grpc::ClientContext context;
  std::thread caller([&] {
    v1::ClassifyResponse response;
    EXPECT_EQ(classifier_->Classify(&context, PlainPicture(2), &response)
                  .error_code(),
              grpc::StatusCode::CANCELLED);
  });
  while (server_->usage().in_flight < 2) std::this_thread::yield();
  context.TryCancel();
  caller.join();
  while (server_->usage().in_flight > 1) std::this_thread::yield();
  puppet_.ReleaseAll();
  AwaitFirst();
  EXPECT_EQ(puppet_.calls_left(), 0);
  EXPECT_THAT(server_->metrics().Page(),
              HasSubstr("code=\"CANCELLED\",model=\"fake\",protocol=\"grpc\","
                        "version=\"1\"} 1\n"));
}

TEST_F(ServerTest, AFullQueueRefusesAtOnceAndSaysWhenToTryAgain) {
  ServerOptions options = Options();
  options.admission.max_waiting = 1;
  StartAndOccupy(options);
  std::thread waiting([&] {
    v1::ClassifyResponse response;
    EXPECT_TRUE(Classify(PlainPicture(2), &response).ok());
  });
  while (server_->usage().waiting < 1) std::this_thread::yield();
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status =
      classifier_->Classify(&context, PlainPicture(3), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), ::testing::StartsWith("queue_full: "));
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto pushback = metadata.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, metadata.end());
  EXPECT_EQ(std::string(pushback->second.data(), pushback->second.size()), "10")
      << "the shortest that is told, as the puppet's batches take no time";
  puppet_.ReleaseAll();
  waiting.join();
}

TEST_F(ServerTest, ModelsAreListedAndDescribed) {
  Start();
  v1::ListModelsResponse list;
  grpc::ClientContext list_context;
  ASSERT_TRUE(classifier_->ListModels(&list_context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 1);
  const v1::ModelInfo& info = list.models(0);
  EXPECT_EQ(info.name(), "fake");
  EXPECT_EQ(info.version(), 1);
  EXPECT_EQ(info.state(), v1::MODEL_STATE_READY);
  EXPECT_EQ(info.classes(), 10);
  EXPECT_EQ(info.input_height(), 32);
  EXPECT_EQ(info.input_width(), 32);
  EXPECT_EQ(info.resize(), 32);
  EXPECT_EQ(info.precision(), "fp32");
  EXPECT_EQ(info.device(), "fake");
  EXPECT_EQ(info.parameters(), CountParameters(FakeModel().config));
  EXPECT_GT(info.parameters(), 20'000'000);  // as tiny: FakeModel

  v1::GetModelResponse model;
  grpc::ClientContext get_context;
  ASSERT_TRUE(classifier_->GetModel(&get_context, {}, &model).ok());
  EXPECT_EQ(model.model().SerializeAsString(), info.SerializeAsString());
  ASSERT_EQ(model.labels_size(), 10);
  EXPECT_EQ(model.labels(3), "class 3");

  v1::GetModelRequest unknown;
  unknown.set_model("other");
  grpc::ClientContext unknown_context;
  EXPECT_EQ(
      classifier_->GetModel(&unknown_context, unknown, &model).error_code(),
      grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, UntilTheModelIsLoadedItListensAndSaysSo) {
  Start(Options(), nullptr);
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("fake"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("groupmamba.v1.Classifier"),
            HealthCheckResponse::NOT_SERVING);
  v1::ClassifyResponse response;
  const grpc::Status status = Classify(PlainPicture(1), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), ::testing::StartsWith("loading: "));
  EXPECT_THAT(server_->metrics().Page(),
              HasSubstr("groupmamba_model_ready{model=\"fake\",version=\"1\"} "
                        "0\n"));
}

TEST_F(ServerTest, AModelThatCannotBeLoadedIsReported) {
  Start(Options(), nullptr);
  EXPECT_EQ(server_->Load([](const ModelFolder&) {
    return absl::FailedPreconditionError("bad weights");
  }),
            absl::FailedPreconditionError("bad weights"));
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
}

TEST_F(ServerTest, HealthKnowsTheServerAndItsModels) {
  Start();
  EXPECT_EQ(Health(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Health("fake"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Health("groupmamba.v1.Classifier"), HealthCheckResponse::SERVING);
  HealthCheckRequest request;
  request.set_service("other");
  HealthCheckResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(health_->Check(&context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, AWatchSeesEveryChangeOfHealth) {
  Start(Options(), nullptr);
  grpc::ClientContext context;
  const auto watch = health_->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(
      server_->Load([this](const ModelFolder&) { return puppet_.MakeEngine(); })
          .ok());
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_TRUE(server_->Drain({}));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_.reset();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, AWatchOfAnUnknownServiceSaysSoAndCanBeCancelled) {
  Start();
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("other");
  const auto watch = health_->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerTest, ASecondServerOnTheSamePortIsAnError) {
  Start();
  ServerOptions options = Options();
  options.transport.listen = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = Server::Start(options, {FakeModel()}, RealClock::Get());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  options = Options();
  options.metrics_listen =
      "127.0.0.1:" + std::to_string(server_->metrics_port());
  const auto third = Server::Start(options, {FakeModel()}, RealClock::Get());
  EXPECT_EQ(third.status().code(), absl::StatusCode::kUnavailable);
}

// Left to itself CivetWeb's listener takes two seconds.
TEST_F(ServerTest, TheMetricsPageEndsAtOnce) {
  Start();
  EXPECT_THAT(ReadMetricsPage(server_->metrics_port()), HasSubstr("200 OK"));
  const TimePoint start = RealClock::Get()->Now();
  server_.reset();
  EXPECT_LT(RealClock::Get()->Now() - start, std::chrono::seconds(1));
}

TEST_F(ServerTest, TheMetricsPageIsServedOverHttp) {
  Start();
  v1::ClassifyResponse response;
  ASSERT_TRUE(Classify(PlainPicture(1), &response).ok());
  const std::string page = ReadMetricsPage(server_->metrics_port());
  EXPECT_THAT(page, HasSubstr("200 OK"));
  EXPECT_THAT(page, HasSubstr("groupmamba_requests_total{code=\"OK\",model="
                              "\"fake\",protocol=\"grpc\",version=\"1\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("process_resident_memory_bytes"));
}

}  // namespace
}  // namespace groupmamba
