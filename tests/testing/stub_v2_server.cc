#include "tests/testing/stub_v2_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "proto/inference/grpc_service.grpc.pb.h"

namespace groupmamba {
namespace {

constexpr int kVersion = 3;

}  // namespace

class StubV2Server::Service : public inference::GRPCInferenceService::Service {
 public:
  Service(const std::vector<Input>& inputs, Duration delay) : delay_(delay) {
    metadata_.set_name("stub");
    metadata_.add_versions(absl::StrCat(kVersion));
    for (const Input& input : inputs) {
      auto* tensor = metadata_.add_inputs();
      tensor->set_name(absl::StrCat("input", metadata_.inputs_size() - 1));
      tensor->set_datatype(input.datatype);
      tensor->mutable_shape()->Assign(input.shape.begin(), input.shape.end());
    }
  }

  grpc::Status ModelMetadata(
      grpc::ServerContext*, const inference::ModelMetadataRequest* request,
      inference::ModelMetadataResponse* response) override {
    if (request->name() != metadata_.name()) {
      return {grpc::StatusCode::NOT_FOUND, "Request for unknown model"};
    }
    *response = metadata_;
    return grpc::Status::OK;
  }

  grpc::Status ModelInfer(grpc::ServerContext*,
                          const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    const TimePoint answer = RealClock::Get()->Now() + delay_;
    response->set_model_name(metadata_.name());
    response->set_model_version(absl::StrCat(kVersion));
    response->set_id(request->id());
    auto* output = response->add_outputs();
    output->set_name("output");
    output->set_datatype("FP32");
    output->add_shape(1);
    response->add_raw_output_contents(std::string(4, '\0'));
    MutexLock lock(&mutex_);
    requests_.push_back(*request);
    while (RealClock::Get()->Now() < answer) {
      RealClock::Get()->WaitUntil(&never_, &mutex_, answer);
    }
    return grpc::Status::OK;
  }

  grpc::Status ModelStreamInfer(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<inference::ModelStreamInferResponse,
                               inference::ModelInferRequest>* stream) override {
    inference::ModelInferRequest request;
    while (stream->Read(&request)) {
      inference::ModelStreamInferResponse response;
      const grpc::Status status =
          ModelInfer(context, &request, response.mutable_infer_response());
      response.set_error_message(status.error_message());
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  std::vector<inference::ModelInferRequest> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  const Duration delay_;
  inference::ModelMetadataResponse metadata_;
  mutable Mutex mutex_;
  CondVar never_;
  std::vector<inference::ModelInferRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

StubV2Server::StubV2Server(const std::vector<Input>& inputs, Duration delay)
    : service_(std::make_unique<Service>(inputs, delay)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

StubV2Server::~StubV2Server() { server_->Shutdown(); }

std::vector<inference::ModelInferRequest> StubV2Server::requests() const {
  return service_->requests();
}

}  // namespace groupmamba
