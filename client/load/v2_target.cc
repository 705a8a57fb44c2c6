#include "client/load/v2_target.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/load/v2_request.h"

namespace groupmamba::client {
namespace {

std::chrono::system_clock::time_point In(Duration deadline) {
  return std::chrono::system_clock::now() + deadline;
}

// What one call needs while it is under way.
struct Call {
  std::unique_ptr<grpc::ClientContext> context =
      std::make_unique<grpc::ClientContext>();
  inference::ModelInferResponse response;
};

}  // namespace

absl::StatusOr<std::unique_ptr<V2Target>> V2Target::Open(
    const Connection& connection, const std::string& model, int64_t version,
    const Payload& payload, Duration deadline) {
  auto target = absl::WrapUnique(new V2Target(connection.channel(), deadline));
  grpc::ClientContext context;
  context.set_deadline(In(std::chrono::seconds(5)));
  inference::ModelMetadataRequest request;
  request.set_name(model);
  if (version != 0) request.set_version(absl::StrCat(version));
  inference::ModelMetadataResponse metadata;
  GM_RETURN_IF_ERROR(
      ToAbslStatus(target->stub_->ModelMetadata(&context, request, &metadata)));
  target->model_ = metadata.name();
  target->version_ = version;
  for (const std::string& text : metadata.versions()) {
    int64_t offered = 0;
    if (version == 0 && absl::SimpleAtoi(text, &offered)) {
      target->version_ = std::max(target->version_, offered);
    }
  }
  for (const auto& picture : payload) {
    GM_ASSIGN_OR_RETURN(inference::ModelInferRequest made,
                        MakeV2Request(metadata, *picture));
    made.set_model_version(request.version());
    target->requests_.push_back(std::move(made));
  }
  return target;
}

void V2Target::Start(int64_t index,
                     std::function<void(const LoadAnswer&)> done) {
  const auto call = std::make_shared<Call>();
  call->context->set_deadline(In(deadline_));
  stub_->async()->ModelInfer(
      call->context.get(), &requests_[index % requests_.size()],
      &call->response,
      [call, done = std::move(done)](const grpc::Status& status) {
        // As in Connection::StartClassify: not the last to hold the channel.
        call->context.reset();
        done({.code = static_cast<absl::StatusCode>(status.error_code())});
      });
}

}  // namespace groupmamba::client
