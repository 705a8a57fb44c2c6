#include "tests/testing/stub_classifier_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupmamba {

using ::grpc::health::v1::Health;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;

class StubClassifierServer::ClassifierService : public v1::Classifier::Service {
 public:
  explicit ClassifierService(std::vector<std::string> labels)
      : labels_(std::move(labels)) {
    info_.set_name("stub");
    info_.set_version(7);
    info_.set_state(v1::MODEL_STATE_READY);
    info_.set_classes(static_cast<int>(labels_.size()));
    info_.set_input_height(48);
    info_.set_input_width(48);
    info_.set_resize(54);
    info_.set_precision("fp32");
    info_.set_device("cpu");
    info_.set_parameters(1234567);
    classify_ = [this](grpc::ServerContext*, const v1::ClassifyRequest& request,
                       v1::ClassifyResponse* response) {
      AnswerInOrder(request, response);
      return grpc::Status::OK;
    };
  }

  grpc::Status Classify(grpc::ServerContext* context,
                        const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override {
    ClassifyFunction classify;
    {
      MutexLock lock(&mutex_);
      requests_.push_back(*request);
      classify = classify_;
    }
    response->set_model("stub");
    response->set_version(7);
    return classify(context, *request, response);
  }

  grpc::Status ClassifyStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ClassifyStreamResponse,
                               v1::ClassifyStreamRequest>* stream) override {
    v1::ClassifyStreamRequest item;
    while (stream->Read(&item)) {
      v1::ClassifyStreamResponse answer;
      answer.set_id(item.id());
      const grpc::Status status =
          Classify(context, &item.request(), answer.mutable_response());
      if (!status.ok()) {
        answer.clear_response();
        answer.set_code(status.error_code());
        answer.set_message(status.error_message());
      }
      stream->Write(answer);
    }
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    *response->add_models() = info_;
    return grpc::Status::OK;
  }

  grpc::Status GetModel(grpc::ServerContext*,
                        const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    if (!request->model().empty() && request->model() != info_.name()) {
      return {grpc::StatusCode::NOT_FOUND, "no such model"};
    }
    *response->mutable_model() = info_;
    response->mutable_labels()->Assign(labels_.begin(), labels_.end());
    return grpc::Status::OK;
  }

  void set_classify(ClassifyFunction classify) {
    MutexLock lock(&mutex_);
    classify_ = std::move(classify);
  }

  std::vector<v1::ClassifyRequest> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  void AnswerInOrder(const v1::ClassifyRequest& request,
                     v1::ClassifyResponse* response) const {
    const int classes = static_cast<int>(labels_.size());
    const int wanted =
        request.top_k() == 0 ? 5 : static_cast<int>(request.top_k());
    for (int i = 0; i < std::min(wanted, classes); ++i) {
      AddPrediction(labels_[i], i, i == 0 ? 0.75f : 0.25f / (classes - 1),
                    response);
    }
    v1::Timing* timing = response->mutable_timing();
    timing->set_decode_ms(0.5);
    timing->set_queue_ms(1);
    timing->set_batch_wait_ms(0.25);
    timing->set_inference_ms(2);
    timing->set_total_ms(3.5);
    timing->set_batch_size(2);
  }

  const std::vector<std::string> labels_;
  v1::ModelInfo info_;
  mutable Mutex mutex_;
  ClassifyFunction classify_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ClassifyRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

class StubClassifierServer::HealthService : public Health::Service {
 public:
  grpc::Status Check(grpc::ServerContext*, const HealthCheckRequest* request,
                     HealthCheckResponse* response) override {
    if (!request->service().empty()) {
      return {grpc::StatusCode::NOT_FOUND, "unknown service"};
    }
    MutexLock lock(&mutex_);
    response->set_status(status_);
    return grpc::Status::OK;
  }

  void set_status(HealthCheckResponse::ServingStatus status) {
    MutexLock lock(&mutex_);
    status_ = status;
  }

 private:
  Mutex mutex_;
  HealthCheckResponse::ServingStatus status_ ABSL_GUARDED_BY(mutex_) =
      HealthCheckResponse::SERVING;
};

StubClassifierServer::StubClassifierServer(std::vector<std::string> labels)
    : classifier_(std::make_unique<ClassifierService>(std::move(labels))),
      health_(std::make_unique<HealthService>()) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.SetMaxReceiveMessageSize(32 << 20);
  builder.RegisterService(classifier_.get());
  builder.RegisterService(health_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

StubClassifierServer::~StubClassifierServer() { Stop(); }

void StubClassifierServer::set_classify(ClassifyFunction classify) {
  classifier_->set_classify(std::move(classify));
}

void StubClassifierServer::AddPrediction(const std::string& label, int index,
                                         float probability,
                                         v1::ClassifyResponse* response) {
  v1::Prediction* prediction = response->add_predictions();
  prediction->set_label(label);
  prediction->set_index(index);
  prediction->set_probability(probability);
}

void StubClassifierServer::set_health(
    HealthCheckResponse::ServingStatus status) {
  health_->set_status(status);
}

std::vector<v1::ClassifyRequest> StubClassifierServer::requests() const {
  return classifier_->requests();
}

void StubClassifierServer::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace groupmamba
