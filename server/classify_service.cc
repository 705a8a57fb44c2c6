#include "server/classify_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "server/call_deadline.h"
#include "server/call_start.h"
#include "server/grpc_status.h"
#include "server/item_stream.h"
#include "server/status_map.h"

namespace groupmamba {
namespace {

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Priority FromProto(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_HIGH:
      return Priority::kHigh;
    case v1::PRIORITY_LOW:
      return Priority::kLow;
    default:
      return Priority::kNormal;
  }
}

Picture PictureOf(const v1::ClassifyRequest& request) {
  switch (request.picture_case()) {
    case v1::ClassifyRequest::kEncoded:
      return {.kind = Picture::Kind::kFile, .bytes = Bytes(request.encoded())};
    case v1::ClassifyRequest::kRaw:
      return {.kind = Picture::Kind::kPixels,
              .bytes = Bytes(request.raw().rgb()),
              .width = request.raw().width(),
              .height = request.raw().height()};
    default:
      return {};
  }
}

ClassifyInput InputOf(const v1::ClassifyRequest& request, TimePoint deadline,
                      uint64_t client) {
  return {.model = request.model(),
          .version = request.version(),
          .picture = PictureOf(request),
          .top_k = request.top_k(),
          .priority = FromProto(request.priority()),
          .deadline = deadline,
          .client = client};
}

void Fill(const Answer& answer, const CallInfo& call,
          v1::ClassifyResponse* response) {
  response->set_request_id(call.id);
  response->set_request_crc32(call.crc);
  const ModelFolder& folder = answer.model->folder();
  response->set_model(folder.name);
  response->set_version(folder.version);
  for (const ScoredClass& scored : answer.top) {
    v1::Prediction* prediction = response->add_predictions();
    prediction->set_label(folder.labels[scored.index]);
    prediction->set_index(scored.index);
    prediction->set_probability(scored.probability);
  }
  const Receipt& receipt = answer.receipt;
  v1::Timing* timing = response->mutable_timing();
  timing->set_decode_ms(ToMilliseconds(receipt.decode));
  timing->set_queue_ms(ToMilliseconds(receipt.queue));
  timing->set_batch_wait_ms(ToMilliseconds(receipt.batch_wait));
  timing->set_inference_ms(ToMilliseconds(receipt.inference));
  timing->set_total_ms(ToMilliseconds(receipt.total));
  timing->set_batch_size(receipt.batch_size);
}

void Fill(const absl::StatusOr<Answer>& answer, const CallInfo& call,
          v1::ClassifyStreamResponse* response) {
  if (answer.ok()) {
    Fill(*answer, call, response->mutable_response());
    return;
  }
  const absl::Status shown = ForClient(answer.status());
  response->set_code(shown.raw_code());
  response->set_message(std::string(shown.message()));
  if (absl::IsResourceExhausted(shown)) {
    response->set_retry_after_ms(static_cast<uint32_t>(RetryPushbackMs(shown)));
  }
}

v1::ModelState ToProto(ServedModel::State state) {
  switch (state) {
    case ServedModel::State::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ServedModel::State::kReady:
      return v1::MODEL_STATE_READY;
    case ServedModel::State::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

void Fill(const ServedModel& model, v1::ModelInfo* info) {
  const ModelFolder& folder = model.folder();
  info->set_name(folder.name);
  info->set_version(folder.version);
  info->set_state(ToProto(model.state()));
  info->set_classes(folder.config.classes);
  info->set_input_height(folder.config.input.crop);
  info->set_input_width(folder.config.input.crop);
  info->set_resize(folder.config.input.resize);
  info->set_precision(model.batcher().precision());
  info->set_device(model.batcher().device());
  info->set_parameters(model.parameters());
}

// What the records keep of an answer, which must outlive it.
CallEnd EndOf(const absl::StatusOr<Answer>& answer) {
  CallEnd end{.status = answer.status()};
  if (answer.ok()) {
    end.model = answer->model->folder().name;
    end.version = answer->model->folder().version;
    end.receipt = &answer->receipt;
  }
  return end;
}

// One Classify call. gRPC owns the messages and keeps them until Finish; the
// pipeline's reply finishes exactly once, OnDone is the last thing that
// happens.
class ClassifyCall final : public grpc::ServerUnaryReactor {
 public:
  ClassifyCall(Pipeline* pipeline, CallRecords* records,
               grpc::CallbackServerContext* context,
               const v1::ClassifyRequest& request,
               v1::ClassifyResponse* response)
      : pipeline_(pipeline),
        records_(records),
        context_(context),
        response_(response),
        call_(BeginCall(records, Protocol::kGrpc, context, request)) {}

  void Start(const ClassifyInput& input) {
    handle_ = pipeline_->Submit(input, [this](absl::StatusOr<Answer> answer) {
      if (answer.ok()) Fill(*answer, call_, response_);
      records_->End(call_, EndOf(answer));
      Finish(ToGrpcStatus(answer.status(), context_));
    });
  }

  // Never before the handler has returned, so that handle_ is set.
  void OnCancel() override { pipeline_->Cancel(handle_); }
  void OnDone() override {
    records_->Done(Protocol::kGrpc);
    delete this;
  }

 private:
  // Spares each call a way through gRPC's executor, a thread of its own: OnDone
  // and OnCancel are short and never block.
  bool InternalInlineable() override { return true; }

  Pipeline* const pipeline_;
  CallRecords* const records_;
  grpc::CallbackServerContext* const context_;
  v1::ClassifyResponse* const response_;
  const CallInfo call_;
  Pipeline::Handle handle_;
};

}  // namespace

grpc::ServerUnaryReactor* ClassifyService::Classify(
    grpc::CallbackServerContext* context, const v1::ClassifyRequest* request,
    v1::ClassifyResponse* response) {
  auto* call =
      new ClassifyCall(pipeline_, records_, context, *request, response);
  call->Start(InputOf(*request, DeadlineOf(*context, *clock_),
                      ClientIdOf(*context, proof_)));
  return call;
}

grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>*
ClassifyService::ClassifyStream(grpc::CallbackServerContext* context) {
  using Stream =
      ItemStream<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;
  const TimePoint deadline = DeadlineOf(*context, *clock_);
  const uint64_t client = ClientIdOf(*context, proof_);
  return new Stream(
      streams_, kStreamWindow, StreamOrder::kAsDone,
      [this, deadline, client,
       stream = BeginStream(*records_, Protocol::kGrpc, *context)](
          const v1::ClassifyStreamRequest& item,
          v1::ClassifyStreamResponse* response,
          Stream::Answered answered) -> Stream::Cancel {
        response->set_id(item.id());
        const Pipeline::Handle handle = pipeline_->Submit(
            InputOf(item.request(), ItemDeadline(item, deadline), client),
            [this, response, answered = std::move(answered),
             call = BeginItem(records_, stream, item.id(), item.request())](
                const absl::StatusOr<Answer>& answer) {
              Fill(answer, call, response);
              records_->End(call, EndOf(answer));
              records_->Done(Protocol::kGrpc);
              answered();
            });
        return [this, handle] { pipeline_->Cancel(handle); };
      });
}

TimePoint ClassifyService::ItemDeadline(const v1::ClassifyStreamRequest& item,
                                        TimePoint stream_deadline) const {
  if (item.deadline_ms() == 0) return stream_deadline;
  return std::min(stream_deadline, clock_->Now() + std::chrono::milliseconds(
                                                       item.deadline_ms()));
}

grpc::ServerUnaryReactor* ClassifyService::ListModels(
    grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
    v1::ListModelsResponse* response) {
  for (const auto& model : models_->models()) {
    Fill(*model, response->add_models());
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* ClassifyService::GetModel(
    grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
    v1::GetModelResponse* response) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> model =
      models_->Find(request->model(), request->version());
  if (model.ok()) {
    Fill(**model, response->mutable_model());
    for (const std::string& label : (*model)->folder().labels) {
      response->add_labels(label);
    }
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(model.status(), context));
  return reactor;
}

}  // namespace groupmamba
