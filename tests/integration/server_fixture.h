// A whole server in this process, on ports of its own, and a client to it.

#ifndef GROUPMAMBA_TESTS_INTEGRATION_SERVER_FIXTURE_H_
#define GROUPMAMBA_TESTS_INTEGRATION_SERVER_FIXTURE_H_

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "proto/inference/grpc_service.grpc.pb.h"
#include "server/fake_engine.h"
#include "server/server.h"

namespace groupmamba {

class ServerFixture : public ::testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options;
    options.transport.listen = "127.0.0.1:0";
    options.metrics_listen = "127.0.0.1:0";
    options.pipeline.decode_threads = 2;
    return options;
  }

  // Listens; with a factory, loads too.
  void Start(const ServerOptions& options, const EngineFactory& factory,
             Clock* clock = RealClock::Get()) {
    auto started = Server::Start(options, {FakeModel()}, clock);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", server_->port()),
        grpc::InsecureChannelCredentials(), arguments);
    classifier_ = v1::Classifier::NewStub(channel_);
    health_ = grpc::health::v1::Health::NewStub(channel_);
    v2_ = inference::GRPCInferenceService::NewStub(channel_);
    if (factory != nullptr) {
      ASSERT_TRUE(server_->Load(factory).ok());
    }
  }

  // With an engine that answers at once.
  void Start(const ServerOptions& options = Options()) {
    Start(options, [](const ModelFolder& model) {
      return MakeFakeEngine(model.config, Duration(0), RealClock::Get());
    });
  }

  grpc::Status Classify(const v1::ClassifyRequest& request,
                        v1::ClassifyResponse* response) {
    grpc::ClientContext context;
    return classifier_->Classify(&context, request, response);
  }

  grpc::Status ClassifyFile(const std::string& file,
                            v1::ClassifyResponse* response) {
    v1::ClassifyRequest request;
    request.set_encoded(file);
    return Classify(request, response);
  }

  // Waits until so many requests are let in and not ended.
  void AwaitInFlight(int count) const {
    while (server_->usage().in_flight != count) std::this_thread::yield();
  }

  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Classifier::Stub> classifier_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> v2_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_INTEGRATION_SERVER_FIXTURE_H_
