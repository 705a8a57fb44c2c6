#include "server/transport.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/connection_metrics.h"
#include "server/credentials.h"

namespace groupmamba {
namespace {

// Of the listeners that are not the public one.
constexpr int kFewConnections = 32;

constexpr int kLeastHeaderBlock = 64 << 10;

// Leaves room for the process's other files.
int DefaultMaxConnections() {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  constexpr rlim_t kMost = 10'000;
  const auto share = static_cast<int>(std::min(files.rlim_cur / 4 * 3, kMost));
  return std::max(16, share - 2 * kFewConnections);
}

}  // namespace

Transport::Transport(const TransportOptions& options,
                     std::shared_ptr<Secrets> secrets, Metrics* metrics,
                     const Clock* clock)
    : options_(options),
      secrets_(std::move(secrets)),
      open_gate_(secrets_->tokens(), false, metrics, clock),
      admin_gate_(secrets_->tokens(), true, metrics, clock),
      open_connections_(
          MakeConnections(options.max_connections > 0 ? options.max_connections
                                                      : DefaultMaxConnections(),
                          secrets_->certificates() != nullptr, clock)),
      admin_connections_(MakeConnections(
          kFewConnections, secrets_->certificates() != nullptr, clock)),
      health_connections_(MakeConnections(kFewConnections, false, clock)) {
  metrics->Add(Secrets::MakeMetrics(secrets_));
  metrics->Add(MakeConnectionMetrics(
      {open_connections_, admin_connections_, health_connections_}));
}

std::shared_ptr<Connections> Transport::MakeConnections(
    int max, bool tls, const Clock* clock) const {
  const ConnectionLimits& limits = options_.limits;
  return std::make_shared<Connections>(
      ConnectionPolicy{
          .max_connections = max,
          .tls = tls,
          .guard = options_.frame_guard,
          .frames = {.max_streams = limits.max_streams,
                     .max_message_bytes = limits.max_message_bytes,
                     .max_header_block_bytes = std::max(
                         kLeastHeaderBlock, 2 * limits.max_metadata_bytes)},
          .upload_bytes = options_.upload_bytes,
          .receive_timeout = options_.receive_timeout},
      clock);
}

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(
    const TransportOptions& options, Metrics* metrics, Clock* clock) {
  GM_ASSIGN_OR_RETURN(std::shared_ptr<Secrets> secrets,
                      Secrets::Load(options.secrets, clock));
  if (secrets->tokens() != nullptr && secrets->certificates() == nullptr) {
    Log(LogLevel::kWarning,
        "tokens come in plain text; without --tls-cert, something in front of "
        "this server must do the TLS");
  }
  return std::unique_ptr<Transport>(
      new Transport(options, std::move(secrets), metrics, clock));
}

absl::Status Transport::Listen(const TransportServices& services) {
  const auto credentials = [this](CallGate* gate) {
    return MakeCredentials(secrets_->certificates(),
                           secrets_->tokens() == nullptr ? nullptr : gate);
  };
  GM_ASSIGN_OR_RETURN(open_,
                      Listener::Start({.address = options_.listen,
                                       .limits = options_.limits,
                                       .credentials = credentials(&open_gate_),
                                       .connections = open_connections_},
                                      services.open));
  if (!options_.admin.empty()) {
    GM_ASSIGN_OR_RETURN(
        admin_, Listener::Start({.address = options_.admin,
                                 .limits = options_.limits,
                                 .credentials = credentials(&admin_gate_),
                                 .connections = admin_connections_,
                                 .reflection = true},
                                services.admin));
  }
  if (!options_.health.empty()) {
    GM_ASSIGN_OR_RETURN(health_,
                        Listener::Start({.address = options_.health,
                                         .limits = options_.limits,
                                         .connections = health_connections_},
                                        services.health));
  }
  return absl::OkStatus();
}

void Transport::Shutdown(Duration grace) {
  for (Listener* listener : {open_.get(), admin_.get(), health_.get()}) {
    if (listener != nullptr) listener->Shutdown(grace);
  }
}

}  // namespace groupmamba
