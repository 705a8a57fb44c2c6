#include "server/transport.h"

#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/credentials.h"

namespace groupmamba {

Transport::Transport(const TransportOptions& options,
                     std::shared_ptr<Secrets> secrets, Metrics* metrics,
                     const Clock* clock)
    : options_(options),
      secrets_(std::move(secrets)),
      open_gate_(secrets_->tokens(), false, metrics, clock),
      admin_gate_(secrets_->tokens(), true, metrics, clock) {}

absl::StatusOr<std::unique_ptr<Transport>> Transport::Create(
    const TransportOptions& options, Metrics* metrics, Clock* clock) {
  GM_ASSIGN_OR_RETURN(std::shared_ptr<Secrets> secrets,
                      Secrets::Load(options.secrets, clock));
  metrics->Add(Secrets::MakeMetrics(secrets));
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
                                       .credentials = credentials(&open_gate_)},
                                      services.open));
  if (!options_.admin.empty()) {
    GM_ASSIGN_OR_RETURN(
        admin_, Listener::Start({.address = options_.admin,
                                 .limits = options_.limits,
                                 .credentials = credentials(&admin_gate_),
                                 .reflection = true},
                                services.admin));
  }
  if (!options_.health.empty()) {
    GM_ASSIGN_OR_RETURN(health_, Listener::Start({.address = options_.health,
                                                  .limits = options_.limits},
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
