#include "client/connection.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"

namespace groupmamba::client {
namespace {

// Larger than any request: gRPC never retries a call whose message did not fit
// into its retry buffer, and the buffer's default is 256 KiB.
constexpr int kRetryBufferBytes = 34 << 20;

std::chrono::system_clock::time_point In(Duration wait) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(wait);
}

grpc::ChannelArguments ChannelArguments(const ConnectionOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  // The target is the server itself; a web proxy of the environment would
  // answer for it, even for localhost.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, options.retries ? 1 : 0);
  if (options.retries) {
    arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
    arguments.SetServiceConfigJSON(RetryServiceConfig());
  }
  return arguments;
}

// Waits for a connection; false when it failed or did not come in time.
bool Connect(grpc::Channel* channel, Duration timeout) {
  const auto deadline = In(timeout);
  for (;;) {
    const grpc_connectivity_state state = channel->GetState(true);
    if (state == GRPC_CHANNEL_READY) return true;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
    if (!channel->WaitForStateChange(state, deadline)) return false;
  }
}

// A unary call in flight.
struct ClassifyCall {
  std::unique_ptr<grpc::ClientContext> context =
      std::make_unique<grpc::ClientContext>();
  std::shared_ptr<const v1::ClassifyRequest> request;
  v1::ClassifyResponse response;
  TimePoint start;
};

}  // namespace

std::string RetryServiceConfig() {
  // No retryThrottling: the commands that retry hold a bounded number of calls,
  // so that their retries cannot grow the load.
  return R"({"methodConfig": [{
    "name": [{"service": "groupmamba.v1.Classifier"}],
    "retryPolicy": {
      "maxAttempts": 5,
      "initialBackoff": "0.1s",
      "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    }}]})";
}

absl::Status ToAbslStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

Connection::Connection(const ConnectionOptions& options,
                       std::shared_ptr<grpc::Channel> channel)
    : options_(options),
      channel_(std::move(channel)),
      classifier_(v1::Classifier::NewStub(channel_)),
      health_(::grpc::health::v1::Health::NewStub(channel_)) {}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(
    const ConnectionOptions& options) {
  auto connection = absl::WrapUnique(new Connection(
      options, grpc::CreateCustomChannel(options.target,
                                         grpc::InsecureChannelCredentials(),
                                         ChannelArguments(options))));
  const auto timeout = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(options.connect_timeout_s));
  if (!Connect(connection->channel_.get(), timeout)) {
    return absl::UnavailableError(connection->UnreachableMessage());
  }
  return connection;
}

void Connection::StartClassify(
    std::shared_ptr<const v1::ClassifyRequest> request, Duration deadline,
    std::function<void(ClassifyOutcome)> done) {
  auto call = std::make_shared<ClassifyCall>();
  call->context->set_deadline(In(deadline));
  call->request = std::move(request);
  call->start = RealClock::Get()->Now();
  classifier_->async()->Classify(
      call->context.get(), call->request.get(), &call->response,
      [call, done = std::move(done)](const grpc::Status& status) {
        ClassifyOutcome outcome;
        outcome.round_trip = RealClock::Get()->Now() - call->start;
        if (status.ok()) {
          outcome.response = std::move(call->response);
        } else {
          outcome.response = ToAbslStatus(status);
        }
        // The context holds the channel. Were it the last to do so, the channel
        // would end on this thread, which is one of those that it waits for.
        call->context.reset();
        done(std::move(outcome));
      });
}

absl::StatusOr<v1::ListModelsResponse> Connection::ListModels(
    Duration deadline) {
  grpc::ClientContext context;
  context.set_deadline(In(deadline));
  v1::ListModelsResponse response;
  const grpc::Status status =
      classifier_->ListModels(&context, v1::ListModelsRequest(), &response);
  if (!status.ok()) return ToAbslStatus(status);
  return response;
}

absl::StatusOr<v1::GetModelResponse> Connection::GetModel(
    const std::string& model, int64_t version, Duration deadline) {
  grpc::ClientContext context;
  context.set_deadline(In(deadline));
  v1::GetModelRequest request;
  request.set_model(model);
  request.set_version(version);
  v1::GetModelResponse response;
  const grpc::Status status =
      classifier_->GetModel(&context, request, &response);
  if (!status.ok()) return ToAbslStatus(status);
  return response;
}

absl::StatusOr<::grpc::health::v1::HealthCheckResponse> Connection::CheckHealth(
    const std::string& service, Duration deadline) {
  grpc::ClientContext context;
  context.set_deadline(In(deadline));
  ::grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  ::grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = health_->Check(&context, request, &response);
  if (!status.ok()) return ToAbslStatus(status);
  return response;
}

bool Connection::IsLost(const absl::Status& status) const {
  return absl::IsUnavailable(status) &&
         channel_->GetState(false) != GRPC_CHANNEL_READY;
}

std::string Connection::UnreachableMessage() const {
  return absl::StrCat(
      "the server at ", options_.target,
      " cannot be reached. Is it running? Start one with 'groupmamba-server "
      "--models DIR', or see the whole at work with './dev demo'; --target "
      "HOST:PORT names another address.");
}

}  // namespace groupmamba::client
