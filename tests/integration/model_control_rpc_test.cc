// Loading and unloading models over the V2 protocol, on the admin port.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::grpc::StatusCode;
using ::testing::StartsWith;

class ModelControlRpcTest : public ServerFixture {
 protected:
  using V2 = inference::GRPCInferenceService;

  // Serves "fake", version 1, which is not on disk; version 2 is.
  void SetUp() override {
    ModelConfig config = FakeModel().config;
    config.input.std = {1, 1, 1};
    config.labels_file = "labels.txt";
    config.weights_file = "model.safetensors";
    config.weights_sha256 = std::string(64, '0');
    dir_.Write("fake/2/config.json", FormatModelConfig(config));
    dir_.Write("fake/2/labels.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    ServerOptions options = Options();
    options.transport.admin = "127.0.0.1:0";
    options.control.root = dir_.path();
    Start(options);
    admin_ = V2::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->admin_port()),
                            grpc::InsecureChannelCredentials()));
  }

  static grpc::Status Load(
      V2::Stub* stub, const inference::RepositoryModelLoadRequest& request) {
    inference::RepositoryModelLoadResponse response;
    grpc::ClientContext context;
    return stub->RepositoryModelLoad(&context, request, &response);
  }

  static inference::RepositoryModelLoadRequest LoadOf(const std::string& name) {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(name);
    return request;
  }

  static grpc::Status Unload(V2::Stub* stub, const std::string& name) {
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name(name);
    // As tritonclient sends it.
    (*request.mutable_parameters())["unload_dependents"].set_bool_param(false);
    inference::RepositoryModelUnloadResponse response;
    grpc::ClientContext context;
    return stub->RepositoryModelUnload(&context, request, &response);
  }

  // The version that answers; 0: the model is unknown.
  int64_t Answers() {
    v1::ClassifyRequest request;
    request.set_model("fake");
    request.mutable_raw()->set_width(1);
    request.mutable_raw()->set_height(1);
    request.mutable_raw()->set_rgb("rgb");
    v1::ClassifyResponse response;
    const grpc::Status status = Classify(request, &response);
    EXPECT_TRUE(status.ok() || status.error_code() == StatusCode::NOT_FOUND);
    return status.ok() ? response.version() : 0;
  }

  bool IsHealthy() {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("fake");
    grpc::health::v1::HealthCheckResponse response;
    grpc::ClientContext context;
    return health_->Check(&context, request, &response).ok() &&
           response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }

  const testing::TempDir dir_;
  std::unique_ptr<V2::Stub> admin_;
};

TEST_F(ModelControlRpcTest, LoadServesTheHighestVersionAndUnloadNone) {
  EXPECT_EQ(Answers(), 1);
  EXPECT_TRUE(Load(admin_.get(), LoadOf("fake")).ok());
  EXPECT_EQ(Answers(), 2);
  EXPECT_TRUE(Unload(admin_.get(), "fake").ok());
  EXPECT_EQ(Answers(), 0);
  EXPECT_FALSE(IsHealthy());
  EXPECT_TRUE(Load(admin_.get(), LoadOf("fake")).ok());
  EXPECT_EQ(Answers(), 2);
  EXPECT_TRUE(IsHealthy());
}

TEST_F(ModelControlRpcTest, WhatCannotBeDoneSaysWhy) {
  EXPECT_EQ(Load(admin_.get(), LoadOf("other")).error_code(),
            StatusCode::NOT_FOUND);
  EXPECT_EQ(Unload(admin_.get(), "other").error_code(), StatusCode::NOT_FOUND);
  auto with_config = LoadOf("fake");
  (*with_config.mutable_parameters())["config"].set_string_param("{}");
  EXPECT_EQ(Load(admin_.get(), with_config).error_code(),
            StatusCode::INVALID_ARGUMENT);
  dir_.Write("fake/2/config.json", "{}");
  const grpc::Status broken = Load(admin_.get(), LoadOf("fake"));
  EXPECT_EQ(broken.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(broken.error_message(), StartsWith("load_failed: "));
  EXPECT_EQ(Answers(), 1);
}

TEST_F(ModelControlRpcTest, ThePublicPortChangesNothing) {
  EXPECT_EQ(Load(v2_.get(), LoadOf("fake")).error_code(),
            StatusCode::UNAVAILABLE);
  EXPECT_EQ(Unload(v2_.get(), "fake").error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(Answers(), 1);
}

TEST_F(ModelControlRpcTest, StatisticsBeginAnewWithAVersion) {
  const auto count = [&] {
    inference::ModelStatisticsRequest request;
    inference::ModelStatisticsResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(v2_->ModelStatistics(&context, request, &response).ok());
    return response.model_stats(0).inference_count();
  };
  inference::ModelInferRequest infer;
  infer.set_model_name("fake");
  auto* input = infer.add_inputs();
  input->set_name("pixels");
  input->set_datatype("UINT8");
  for (const int dimension : {1, 32, 32, 3}) input->add_shape(dimension);
  infer.add_raw_input_contents(std::string(3 * 32 * 32, '\1'));
  inference::ModelInferResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(v2_->ModelInfer(&context, infer, &response).ok());
  EXPECT_EQ(count(), 1u);
  EXPECT_TRUE(Load(admin_.get(), LoadOf("fake")).ok());
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace groupmamba
