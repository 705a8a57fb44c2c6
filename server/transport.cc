#include "server/transport.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpc/grpc.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace groupmamba {
namespace {

// A client that is silent this long is asked whether it lives, ...
constexpr int kKeepaliveMs = 60'000;
// ... and is disconnected when it does not answer within this.
constexpr int kKeepaliveTimeoutMs = 20'000;
// Clients may ask the same of us, but not more often than this.
constexpr int kMinPingIntervalMs = 10'000;
constexpr int kMaxMetadataBytes = 8 << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> Transport::Start(
    const TransportOptions& options,
    const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(),
                           &port);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetResourceQuota(
      grpc::ResourceQuota("groupmamba").Resize(options.buffer_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveTimeoutMs);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kMinPingIntervalMs);
  // A second server on the same port is an error, not a silent sharing of
  // calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);

  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port <= 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen));
  }
  return std::unique_ptr<Transport>(new Transport(std::move(server), port));
}

void Transport::Shutdown(Duration grace) {
  server_->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace groupmamba
