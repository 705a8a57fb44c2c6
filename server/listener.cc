#include "server/listener.h"

#include <algorithm>
#include <chrono>
#include <climits>

#include "absl/strings/str_cat.h"
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
      // A second server on the same port is an error, not a silent sharing of
      // calls.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
  };
  for (const auto& argument : arguments) {
    builder->AddChannelArgument(argument.name, argument.value);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(
    const Options& options, const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  int port = 0;
  const std::shared_ptr<grpc::ServerCredentials> credentials =
      options.credentials != nullptr ? options.credentials
                                     : grpc::InsecureServerCredentials();
  builder.AddListeningPort(options.address, credentials, &port);
  SetLimits(options.limits, &builder);
  if (!options.reflection) {
    builder.SetOption(std::make_unique<WithoutReflection>());
  }
  for (grpc::Service* service : services) builder.RegisterService(service);

  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port <= 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.address));
  }
  return std::unique_ptr<Listener>(
      new Listener(credentials, std::move(server), port));
}

void Listener::Shutdown(Duration grace) {
  server_->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace groupmamba
