#include "server/v2_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/call_deadline.h"
#include "server/call_start.h"
#include "server/grpc_status.h"
#include "server/item_stream.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context,
                                const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status, context));
  return reactor;
}

// Both live until the call is finished.
ModelControl::Done FinishWith(grpc::ServerUnaryReactor* reactor,
                              grpc::CallbackServerContext* context) {
  return [reactor, context](const absl::Status& status) {
    reactor->Finish(ToGrpcStatus(status, context));
  };
}

// What the records keep of a response, which must outlive it.
CallEnd EndOf(const absl::Status& status, const ModelInferResponse& response) {
  CallEnd end{.status = ForClient(status)};
  if (status.ok() && absl::SimpleAtoi(response.model_version(), &end.version)) {
    end.model = response.model_name();
  }
  return end;
}

// One ModelInfer call. gRPC owns the messages and keeps them until Finish.
class UnaryInfer final : public grpc::ServerUnaryReactor {
 public:
  UnaryInfer(const v2::InferContext& infer, CallRecords* records,
             const v2::Caller& caller, grpc::CallbackServerContext* context,
             const ModelInferRequest& request, ModelInferResponse* response)
      : records_(records),
        info_(BeginCall(records, Protocol::kV2, context, request)) {
    call_ = v2::InferCall::Start(
        infer, request, caller, response,
        [this, context, response](const absl::Status& status) {
          records_->End(info_, EndOf(status, *response));
          Finish(ToGrpcStatus(status, context));
        });
  }

  // Neither before the handler has returned, so that call_ is set.
  void OnCancel() override { call_->Cancel(); }
  void OnDone() override {
    records_->Done(Protocol::kV2);
    delete this;
  }

 private:
  // As ClassifyCall's.
  bool InternalInlineable() override { return true; }

  CallRecords* const records_;
  const CallInfo info_;
  std::shared_ptr<v2::InferCall> call_;
};

}  // namespace

V2Service::V2Service(Pipeline* pipeline, const ModelRepository* models,
                     Metrics* metrics, HealthService* health,
                     CallRecords* records, OpenStreams* streams,
                     v2::Statistics* statistics, ModelControl* control,
                     const v2::ServingLimits& limits, Proof proof,
                     const Clock* clock)
    : models_(models),
      records_(records),
      streams_(streams),
      health_(health),
      limits_(limits),
      statistics_(statistics),
      control_(control),
      proof_(proof),
      infer_({.pipeline = pipeline,
              .models = models,
              .metrics = metrics,
              .statistics = statistics,
              .clock = clock,
              .max_batch = limits.max_batch}) {}

v2::Caller V2Service::CallerOf(
    const grpc::CallbackServerContext& context) const {
  return {DeadlineOf(context, *infer_.clock), ClientIdOf(context, proof_)};
}

grpc::ServerUnaryReactor* V2Service::ServerLive(
    grpc::CallbackServerContext* context, const inference::ServerLiveRequest*,
    inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* V2Service::ServerReady(
    grpc::CallbackServerContext* context, const inference::ServerReadyRequest*,
    inference::ServerReadyResponse* response) {
  response->set_ready(health_->IsServing(""));
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* V2Service::ModelReady(
    grpc::CallbackServerContext* context,
    const inference::ModelReadyRequest* request,
    inference::ModelReadyResponse* response) {
  const auto view = v2::FindView(*models_, request->name(), request->version());
  if (view.ok()) {
    response->set_ready(health_->IsServing(view->model->folder().name));
  }
  return Reply(context, view.status());
}

grpc::ServerUnaryReactor* V2Service::ServerMetadata(
    grpc::CallbackServerContext* context,
    const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  v2::Describe(GM_VERSION, response);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* V2Service::ModelMetadata(
    grpc::CallbackServerContext* context,
    const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  const auto view = v2::FindView(*models_, request->name(), request->version());
  if (view.ok()) v2::Describe(*view, response);
  return Reply(context, view.status());
}

grpc::ServerUnaryReactor* V2Service::ModelConfig(
    grpc::CallbackServerContext* context,
    const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  const auto view = v2::FindView(*models_, request->name(), request->version());
  if (view.ok()) v2::Describe(*view, limits_, response->mutable_config());
  return Reply(context, view.status());
}

grpc::ServerUnaryReactor* V2Service::ModelStatistics(
    grpc::CallbackServerContext* context,
    const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  if (request->name().empty()) {
    for (const v2::ModelView& view : v2::AllViews(*models_)) {
      statistics_->Fill(view, response->add_model_stats());
    }
    return Reply(context, absl::OkStatus());
  }
  const auto view = v2::FindView(*models_, request->name(), request->version());
  if (view.ok()) statistics_->Fill(*view, response->add_model_stats());
  return Reply(context, view.status());
}

grpc::ServerUnaryReactor* V2Service::RepositoryIndex(
    grpc::CallbackServerContext* context,
    const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  for (const v2::ModelView& view : v2::AllViews(*models_)) {
    if (request->ready() && view.model->state() != ServedModel::State::kReady) {
      continue;
    }
    v2::Describe(view, response->add_models());
  }
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* V2Service::ModelInfer(
    grpc::CallbackServerContext* context, const ModelInferRequest* request,
    ModelInferResponse* response) {
  return new UnaryInfer(infer_, records_, CallerOf(*context), context, *request,
                        response);
}

grpc::ServerBidiReactor<ModelInferRequest, ModelStreamInferResponse>*
V2Service::ModelStreamInfer(grpc::CallbackServerContext* context) {
  using Stream = ItemStream<ModelInferRequest, ModelStreamInferResponse>;
  const v2::Caller caller = CallerOf(*context);
  return new Stream(
      streams_, kStreamWindow, StreamOrder::kAsRead,
      [this, caller, stream = BeginStream(*records_, Protocol::kV2, *context)](
          const ModelInferRequest& request, ModelStreamInferResponse* response,
          Stream::Answered answered) -> Stream::Cancel {
        const auto call = v2::InferCall::Start(
            infer_, request, caller, response->mutable_infer_response(),
            [this, response, answered = std::move(answered),
             info = BeginItem(records_, stream, request.id(), request)](
                const absl::Status& status) {
              response->set_error_message(
                  std::string(ForClient(status).message()));
              records_->End(info, EndOf(status, response->infer_response()));
              records_->Done(Protocol::kV2);
              answered();
            });
        return [call] { call->Cancel(); };
      });
}

grpc::ServerUnaryReactor* V2Service::RepositoryModelLoad(
    grpc::CallbackServerContext* context,
    const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse*) {
  if (control_ == nullptr) {
    return Reply(context, Error(Reason::kNoModelControl));
  }
  // A configuration or files that the client sends: models come from disk.
  if (!request->parameters().empty()) {
    return Reply(context, Error(Reason::kBadParameter));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  control_->Load(request->model_name(), FinishWith(reactor, context));
  return reactor;
}

grpc::ServerUnaryReactor* V2Service::RepositoryModelUnload(
    grpc::CallbackServerContext* context,
    const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  if (control_ == nullptr) {
    return Reply(context, Error(Reason::kNoModelControl));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  control_->Unload(request->model_name(), FinishWith(reactor, context));
  return reactor;
}

}  // namespace groupmamba
