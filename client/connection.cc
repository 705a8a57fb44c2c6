#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "client/text.h"

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
  if (absl::StrContains(options.target, ',') ||
      absl::StartsWith(options.target, "dns:")) {
    arguments.SetLoadBalancingPolicyName("round_robin");
  }
  if (!options.shared) {
    // Channels of equal arguments would share their connections.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }
  if (!options.security.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.security.server_name);
  }
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

// The first address of HOST:PORT as gRPC writes it, with its scheme, "ipv4" or
// "ipv6"; empty where there is none.
std::pair<std::string, std::string> Resolve(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return {};
  std::string host(address.substr(0, colon));
  const std::string port(address.substr(colon + 1));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found,
                                                                 freeaddrinfo);
  // gRPC takes one family in a list; the older one is what servers have.
  const addrinfo* chosen = found;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET) chosen = a;
  }
  char numeric[NI_MAXHOST] = "";
  if (getnameinfo(chosen->ai_addr, chosen->ai_addrlen, numeric, sizeof(numeric),
                  nullptr, 0, NI_NUMERICHOST) != 0) {
    return {};
  }
  if (chosen->ai_family == AF_INET) {
    return {"ipv4", absl::StrCat(numeric, ":", port)};
  }
  return {"ipv6", absl::StrCat("[", numeric, "]:", port)};
}

// A unary call of any method in flight.
struct GenericCall {
  std::unique_ptr<grpc::ClientContext> context =
      std::make_unique<grpc::ClientContext>();
  grpc::ByteBuffer response;
};

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

absl::StatusOr<std::string> ChannelTarget(const std::string& target) {
  if (!absl::StrContains(target, ',')) return target;
  std::string scheme;
  std::vector<std::string> addresses;
  for (const absl::string_view one : absl::StrSplit(target, ',')) {
    auto [family, address] = Resolve(one);
    if (family.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--target: '", Printable(one),
                       "' is no HOST:PORT that can be found"));
    }
    if (!scheme.empty() && scheme != family) {
      return absl::InvalidArgumentError(
          "--target: a list holds either IPv4 or IPv6 addresses, not both");
    }
    scheme = family;
    addresses.push_back(std::move(address));
  }
  return absl::StrCat(scheme, ":", absl::StrJoin(addresses, ","));
}

absl::Status ToAbslStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

Connection::Connection(const ConnectionOptions& options,
                       std::string authorization,
                       std::shared_ptr<grpc::Channel> channel)
    : options_(options),
      authorization_(std::move(authorization)),
      channel_(std::move(channel)),
      classifier_(v1::Classifier::NewStub(channel_)),
      generic_(std::make_unique<grpc::GenericStub>(channel_)),
      health_(::grpc::health::v1::Health::NewStub(channel_)) {}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(
    const ConnectionOptions& options) {
  GM_ASSIGN_OR_RETURN(const std::string target, ChannelTarget(options.target));
  GM_ASSIGN_OR_RETURN(const Security security, LoadSecurity(options.security));
  auto connection = absl::WrapUnique(
      new Connection(options, security.authorization,
                     grpc::CreateCustomChannel(target, security.credentials,
                                               ChannelArguments(options))));
  const Duration timeout = FromSeconds(options.connect_timeout_s);
  if (!Connect(connection->channel_.get(), timeout)) {
    return absl::UnavailableError(connection->UnreachableMessage());
  }
  return connection;
}

void Connection::Prepare(grpc::ClientContext* context,
                         Duration deadline) const {
  context->set_deadline(In(deadline));
  AddToken(context);
}

void Connection::AddToken(grpc::ClientContext* context) const {
  if (!authorization_.empty()) {
    context->AddMetadata("authorization", authorization_);
  }
}

void Connection::StartClassify(
    std::shared_ptr<const v1::ClassifyRequest> request, Duration deadline,
    std::function<void(ClassifyOutcome)> done) {
  auto call = std::make_shared<ClassifyCall>();
  Prepare(call->context.get(), deadline);
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

void Connection::StartCall(
    const std::string& method, const std::string& request_id,
    const grpc::ByteBuffer* request, Duration deadline,
    std::function<void(const grpc::Status&, const grpc::ByteBuffer&)> done) {
  auto call = std::make_shared<GenericCall>();
  if (!request_id.empty()) {
    call->context->AddMetadata("x-request-id", request_id);
  }
  Prepare(call->context.get(), deadline);
  generic_->UnaryCall(call->context.get(), method, grpc::StubOptions(), request,
                      &call->response,
                      [call, done = std::move(done)](grpc::Status status) {
                        call->context.reset();  // as in StartClassify
                        done(status, call->response);
                      });
}

void Connection::StartStream(
    const std::string& method, grpc::ClientContext* context,
    grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* reactor) {
  AddToken(context);
  generic_->PrepareBidiStreamingCall(context, method, grpc::StubOptions(),
                                     reactor);
}

absl::StatusOr<v1::ListModelsResponse> Connection::ListModels(
    Duration deadline) {
  grpc::ClientContext context;
  Prepare(&context, deadline);
  v1::ListModelsResponse response;
  const grpc::Status status =
      classifier_->ListModels(&context, v1::ListModelsRequest(), &response);
  if (!status.ok()) return ToAbslStatus(status);
  return response;
}

absl::StatusOr<v1::GetModelResponse> Connection::GetModel(
    const std::string& model, int64_t version, Duration deadline) {
  grpc::ClientContext context;
  Prepare(&context, deadline);
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
  Prepare(&context, deadline);
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
  const SecurityOptions& security = options_.security;
  if (security.tls_ca.empty() && SpeaksTls(options_.target)) {
    return absl::StrCat("the server at ", options_.target,
                        " speaks TLS: pass --tls-ca FILE, with the certificate "
                        "of its authority.");
  }
  if (!security.tls_ca.empty()) {
    return absl::StrCat(
        "no TLS connection to the server at ", options_.target,
        ". Is it running, with --tls-cert? Is its certificate of an authority "
        "in --tls-ca, and for the name in --target (--tls-server-name gives "
        "another)? Does it want a certificate of ours (--tls-cert, "
        "--tls-key)?");
  }
  return absl::StrCat(
      "the server at ", options_.target,
      " cannot be reached. Is it running? Start one with 'groupmamba-server "
      "--models DIR', or see the whole at work with './dev demo'; --target "
      "HOST:PORT names another address.");
}

}  // namespace groupmamba::client
