#include "server/v2/infer_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/status_map.h"
#include "server/v2/infer_response.h"

namespace groupmamba::v2 {
namespace {

// Says which of several pictures is at fault.
absl::Status WithIndex(const absl::Status& status, size_t index, size_t count) {
  if (count == 1 || !absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(absl::StrCat(
      status.message(), " (picture ", index + 1, " of ", count, ")"));
}

}  // namespace

InferCall::InferCall(const InferContext& context,
                     inference::ModelInferResponse* response, Done done)
    : context_(context),
      response_(response),
      done_(std::move(done)),
      arrived_(context.clock->Now()) {}

std::shared_ptr<InferCall> InferCall::Start(
    const InferContext& context, const inference::ModelInferRequest& request,
    const Caller& caller, inference::ModelInferResponse* response, Done done) {
  response->set_id(request.id());
  std::shared_ptr<InferCall> call(
      new InferCall(context, response, std::move(done)));
  if (const absl::Status status = call->Read(request); !status.ok()) {
    call->End(status);
  } else {
    call->Submit(caller);
  }
  return call;
}

absl::Status InferCall::Read(const inference::ModelInferRequest& message) {
  GM_ASSIGN_OR_RETURN(view_, FindView(*context_.models, message.model_name(),
                                      message.model_version()));
  GM_ASSIGN_OR_RETURN(request_,
                      ReadInferRequest(message, view_, context_.max_batch));
  return absl::OkStatus();
}

void InferCall::Submit(const Caller& caller) {
  const size_t count = request_.pictures.size();
  answers_.resize(count);
  {
    MutexLock lock(&mutex_);
    left_ = count;
  }
  TimePoint deadline = caller.deadline;
  const Duration timeout = request_.parameters.timeout;
  if (timeout != Duration::max()) {
    deadline = std::min(deadline, arrived_ + timeout);
  }
  const ModelFolder& folder = view_.model->folder();
  ClassifyInput input = {
      .served = view_.model,  // all pictures by the same version
      .top_k = static_cast<uint32_t>(request_.classification > 0
                                         ? request_.classification
                                         : folder.config.classes),
      .priority = request_.parameters.priority,
      .deadline = deadline,
      .client = caller.client,
      .is_request = false};
  for (size_t i = 0; i < count; ++i) {
    input.picture = request_.pictures[i];
    const Pipeline::Handle handle = context_.pipeline->Submit(
        input, [self = shared_from_this(), i](absl::StatusOr<Answer> answer) {
          self->PictureEnded(i, std::move(answer));
        });
    bool stopped;
    {
      MutexLock lock(&mutex_);
      handles_.push_back(handle);
      stopped = stopped_;
    }
    if (stopped) context_.pipeline->Cancel(handle);
  }
}

void InferCall::PictureEnded(size_t index, absl::StatusOr<Answer> answer) {
  std::vector<Pipeline::Handle> unwanted;
  absl::Status status;
  bool is_last;
  {
    MutexLock lock(&mutex_);
    if (answer.ok()) {
      answers_[index] = *std::move(answer);
    } else if (status_.ok()) {
      status_ = WithIndex(answer.status(), index, answers_.size());
      stopped_ = true;
      unwanted = handles_;
    }
    last_ = index;
    is_last = --left_ == 0;
    status = status_;
  }
  for (const Pipeline::Handle& handle : unwanted) {
    context_.pipeline->Cancel(handle);
  }
  if (is_last) End(status);
}

void InferCall::Cancel() {
  std::vector<Pipeline::Handle> handles;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    handles = handles_;
  }
  for (const Pipeline::Handle& handle : handles) {
    context_.pipeline->Cancel(handle);
  }
}

// Counted before the reply, so that who has the reply finds it counted.
void InferCall::End(const absl::Status& status) {
  const Duration total = context_.clock->Now() - arrived_;
  if (view_.model == nullptr) {
    context_.metrics->UnknownModelRequestEnded(Protocol::kV2, status.code());
  } else {
    if (status.ok()) {
      FillInferResponse(view_, request_.classification, answers_, response_);
      context_.statistics->Succeeded(view_, answers_, answers_[last_].receipt,
                                     total);
    } else {
      context_.statistics->Failed(view_, total);
    }
    view_.model->metrics().RequestEnded(Protocol::kV2, status.code(), total);
  }
  done_(status);
}

}  // namespace groupmamba::v2
