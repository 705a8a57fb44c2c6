// The V2 protocol over the wire; how its messages are read is in
// tests/server/v2.

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "tests/integration/server_fixture.h"
#include "tests/server/v2/messages.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using v2::EncodedRequest;
using v2::PixelsRequest;

class V2ServerTest : public ServerFixture {
 protected:
  void TearDown() override {
    puppet_.ReleaseAll();
    if (first_.joinable()) first_.join();
  }

  // On a puppet's strings: a first request is held inside the model.
  void StartAndOccupy(const ServerOptions& options = Options()) {
    Start(options, [this](const ModelFolder&) { return puppet_.MakeEngine(); });
    puppet_.Hold();
    first_ = std::thread([this] {
      ModelInferResponse response;
      EXPECT_TRUE(Infer(PixelsRequest({1}), &response).ok());
    });
    puppet_.AwaitCall();
  }

  // Calls `method` of the stub with a request of that name.
  template <typename Request, typename Response>
  grpc::Status Ask(grpc::Status (GRPCInferenceService::Stub::*method)(
                       grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response* response) {
    grpc::ClientContext context;
    return (v2_.get()->*method)(&context, request, response);
  }

  grpc::Status Infer(const ModelInferRequest& request,
                     ModelInferResponse* response) {
    return Ask(&GRPCInferenceService::Stub::ModelInfer, request, response);
  }

  bool ServerReady() {
    inference::ServerReadyResponse response;
    EXPECT_TRUE(
        Ask(&GRPCInferenceService::Stub::ServerReady, {}, &response).ok());
    return response.ready();
  }

  bool ModelReady(const std::string& name) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    inference::ModelReadyResponse response;
    EXPECT_TRUE(
        Ask(&GRPCInferenceService::Stub::ModelReady, request, &response).ok());
    return response.ready();
  }

  Puppet puppet_{10};
  std::thread first_;
};

TEST_F(V2ServerTest, ReadinessIsHealths) {
  Start(Options(), nullptr);
  inference::ServerLiveResponse live;
  EXPECT_TRUE(Ask(&GRPCInferenceService::Stub::ServerLive, {}, &live).ok());
  EXPECT_TRUE(live.live());
  EXPECT_FALSE(ServerReady());
  EXPECT_FALSE(ModelReady("fake"));
  ASSERT_TRUE(
      server_->Load([this](const ModelFolder&) { return puppet_.MakeEngine(); })
          .ok());
  EXPECT_TRUE(ServerReady());
  EXPECT_TRUE(ModelReady("fake"));
  EXPECT_TRUE(ModelReady("fake+encoded"));
  EXPECT_TRUE(server_->Drain({}));
  EXPECT_FALSE(ServerReady());
  EXPECT_FALSE(ModelReady("fake"));
}

TEST_F(V2ServerTest, HealthKnowsTheServiceByItsName) {
  Start();
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("inference.GRPCInferenceService");
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(health_->Check(&context, request, &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
}

TEST_F(V2ServerTest, EveryRpcThatNamesAModelKnowsWhichItHas) {
  Start();
  const auto expect_unknown = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
    EXPECT_THAT(status.error_message(), HasSubstr("Request for unknown model"));
  };
  inference::ModelReadyRequest ready;
  ready.set_name("other");
  inference::ModelReadyResponse ready_response;
  expect_unknown(
      Ask(&GRPCInferenceService::Stub::ModelReady, ready, &ready_response));
  inference::ModelMetadataRequest metadata;
  metadata.set_name("other");
  inference::ModelMetadataResponse metadata_response;
  expect_unknown(Ask(&GRPCInferenceService::Stub::ModelMetadata, metadata,
                     &metadata_response));
  inference::ModelConfigRequest config;
  config.set_name("other");
  inference::ModelConfigResponse config_response;
  expect_unknown(
      Ask(&GRPCInferenceService::Stub::ModelConfig, config, &config_response));
  inference::ModelStatisticsRequest statistics;
  statistics.set_name("other");
  inference::ModelStatisticsResponse statistics_response;
  expect_unknown(Ask(&GRPCInferenceService::Stub::ModelStatistics, statistics,
                     &statistics_response));
  ModelInferRequest infer = PixelsRequest({1});
  infer.set_model_name("other");
  ModelInferResponse infer_response;
  expect_unknown(Infer(infer, &infer_response));
}

TEST_F(V2ServerTest, AModelDescribesItself) {
  Start();
  inference::ModelMetadataRequest metadata;
  metadata.set_name("fake+encoded");
  metadata.set_version("1");
  inference::ModelMetadataResponse described;
  ASSERT_TRUE(
      Ask(&GRPCInferenceService::Stub::ModelMetadata, metadata, &described)
          .ok());
  EXPECT_EQ(described.name(), "fake+encoded");
  inference::ModelConfigRequest config;
  config.set_name("fake");
  inference::ModelConfigResponse configured;
  ASSERT_TRUE(
      Ask(&GRPCInferenceService::Stub::ModelConfig, config, &configured).ok());
  EXPECT_EQ(configured.config().max_batch_size(), Options().batch.max_batch);
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(
      Ask(&GRPCInferenceService::Stub::ServerMetadata, {}, &server).ok());
  EXPECT_EQ(server.name(), "groupmamba-serve");
  EXPECT_THAT(server.version(), ::testing::MatchesRegex("[0-9.]+"));
}

TEST_F(V2ServerTest, TheIndexListsBothNamesOrOnlyWhatIsReady) {
  Start(Options(), nullptr);
  inference::RepositoryIndexRequest request;
  inference::RepositoryIndexResponse all;
  ASSERT_TRUE(
      Ask(&GRPCInferenceService::Stub::RepositoryIndex, request, &all).ok());
  ASSERT_EQ(all.models_size(), 2);
  EXPECT_EQ(all.models(0).name(), "fake");
  EXPECT_EQ(all.models(1).name(), "fake+encoded");
  EXPECT_EQ(all.models(1).state(), "LOADING");
  request.set_ready(true);
  inference::RepositoryIndexResponse ready;
  ASSERT_TRUE(
      Ask(&GRPCInferenceService::Stub::RepositoryIndex, request, &ready).ok());
  EXPECT_EQ(ready.models_size(), 0);
}

TEST_F(V2ServerTest, ModelsAreNotLoadedThroughThePublicPort) {
  Start();
  inference::RepositoryModelLoadResponse loaded;
  const grpc::Status load =
      Ask(&GRPCInferenceService::Stub::RepositoryModelLoad, {}, &loaded);
  EXPECT_EQ(load.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(load.error_message(), StartsWith("no_model_control: "));
  inference::RepositoryModelUnloadResponse unloaded;
  EXPECT_EQ(
      Ask(&GRPCInferenceService::Stub::RepositoryModelUnload, {}, &unloaded)
          .error_code(),
      StatusCode::UNAVAILABLE);
}

TEST_F(V2ServerTest, BothProtocolsGiveTheSameAnswerToTheSamePicture) {
  Start();
  const std::string file = MakePng(64, 48, 1);
  v1::ClassifyRequest classify;
  classify.set_encoded(file);
  classify.set_top_k(10);
  v1::ClassifyResponse ours;
  ASSERT_TRUE(Classify(classify, &ours).ok());
  ModelInferResponse theirs;
  ASSERT_TRUE(Infer(EncodedRequest({file}), &theirs).ok());
  ASSERT_EQ(theirs.raw_output_contents(0).size(), 10 * sizeof(float));
  for (const v1::Prediction& prediction : ours.predictions()) {
    float probability = 0;
    std::memcpy(&probability,
                theirs.raw_output_contents(0).data() +
                    prediction.index() * sizeof(float),
                sizeof(float));
    EXPECT_EQ(probability, prediction.probability()) << prediction.index();
  }
}

TEST_F(V2ServerTest, AFullQueueIsResourceExhaustedWithThePushback) {
  ServerOptions options = Options();
  options.admission.max_waiting = 1;
  StartAndOccupy(options);
  grpc::ClientContext context;
  ModelInferResponse response;
  const ModelInferRequest request = PixelsRequest({1, 2, 3, 4});
  const grpc::Status status = v2_->ModelInfer(&context, request, &response);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), StartsWith("queue_full: "));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"),
            1u);
}

TEST_F(V2ServerTest, ADeadlineThatPassesFreesEveryPicturesPlace) {
  StartAndOccupy();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(50));
  ModelInferResponse response;
  EXPECT_EQ(
      v2_->ModelInfer(&context, PixelsRequest({2, 3}), &response).error_code(),
      StatusCode::DEADLINE_EXCEEDED);
  while (server_->usage().in_flight > 1) std::this_thread::yield();
  puppet_.ReleaseAll();
  first_.join();
  EXPECT_EQ(puppet_.calls_left(), 0);
}

TEST_F(V2ServerTest, CancellingAStreamFreesThePlacesOfItsRequests) {
  StartAndOccupy();
  grpc::ClientContext context;
  const auto stream = v2_->ModelStreamInfer(&context);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(PixelsRequest({2})));
  AwaitInFlight(4);
  context.TryCancel();
  AwaitInFlight(1);
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  puppet_.ReleaseAll();
  AwaitInFlight(0);
  EXPECT_EQ(puppet_.calls_left(), 0) << "what waited was not computed";
}

TEST_F(V2ServerTest, AStreamAnswersInOrderAndGoesOnAfterAnError) {
  Start();
  grpc::ClientContext context;
  const auto stream = v2_->ModelStreamInfer(&context);
  const std::string file = MakePng(64, 48, 1);
  for (const char* id : {"a", "bad", "c"}) {
    ModelInferRequest request = id == std::string("bad")
                                    ? EncodedRequest({"no"})
                                    : EncodedRequest({file, file});
    request.set_id(id);
    ASSERT_TRUE(stream->Write(request));
  }
  ASSERT_TRUE(stream->WritesDone());
  std::vector<std::string> ids;
  inference::ModelStreamInferResponse response;
  while (stream->Read(&response)) {
    ids.push_back(response.infer_response().id());
    if (ids.back() == "bad") {
      EXPECT_THAT(response.error_message(), StartsWith("unknown_format: "));
      EXPECT_EQ(response.infer_response().outputs_size(), 0);
    } else {
      EXPECT_EQ(response.error_message(), "");
      EXPECT_THAT(response.infer_response().outputs(0).shape(),
                  ElementsAre(2, 10));
    }
  }
  EXPECT_THAT(ids, ElementsAre("a", "bad", "c"));
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace groupmamba
