#include "server/listener.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "grpc/grpc.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"

namespace groupmamba {
namespace {

// Clients may ask whether we live, but not more often than this.
constexpr int kMinPingIntervalMs = 10'000;

// To link gRPC's reflection is to have it in every server of the process: a
// static of the library installs it. This takes it out again where it is not
// wanted.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    plugins->erase(
        std::remove_if(
            plugins->begin(), plugins->end(),
            [](const auto& plugin) {
              return dynamic_cast<
                         grpc::reflection::ProtoServerReflectionPlugin*>(
                         plugin.get()) != nullptr;
            }),
        plugins->end());
  }
};

// gRPC's word for "never" is INT_MAX.
int Milliseconds(Duration time) {
  if (time == Duration::zero()) return INT_MAX;
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

void SetLimits(const ConnectionLimits& limits, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(limits.max_message_bytes);
  builder->SetResourceQuota(
      grpc::ResourceQuota("groupmamba").Resize(limits.buffer_bytes));
  const struct {
    const char* name;
    int value;
  } arguments[] = {
      {GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_streams},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.max_age)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(limits.age_grace)},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.max_idle)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(limits.keepalive)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(limits.keepalive_timeout)},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
       Milliseconds(limits.handshake_timeout)},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       kMinPingIntervalMs},
  };
  for (const auto& argument : arguments) {
    builder->AddChannelArgument(argument.name, argument.value);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(
    const Options& options, const std::vector<grpc::Service*>& services) {
  std::unique_ptr<Listener> listener(new Listener);
  GM_ASSIGN_OR_RETURN(listener->acceptor_,
                      Acceptor::Bind(options.address, options.connections));
  listener->connections_ = options.connections;
  listener->credentials_ = options.credentials != nullptr
                               ? options.credentials
                               : grpc::InsecureServerCredentials();
  grpc::ServerBuilder builder;
  auto accepted = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      listener->credentials_);
  SetLimits(options.limits, &builder);
  if (!options.reflection) {
    builder.SetOption(std::make_unique<WithoutReflection>());
  }
  for (grpc::Service* service : services) builder.RegisterService(service);

  listener->server_ = builder.BuildAndStart();
  if (listener->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("gRPC does not start for ", options.address));
  }
  listener->acceptor_->Start(std::move(accepted));
  return listener;
}

void Listener::Shutdown(Duration grace) {
  acceptor_->Stop();
  connections_->HideNewCalls();
  server_->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace groupmamba
