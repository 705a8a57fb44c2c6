#include "server/transport_flags.h"

#include <algorithm>
#include <climits>
#include <string>

#include "absl/strings/numbers.h"
#include "server/flag.h"

namespace groupmamba {
namespace {

// An address, or nothing for "nowhere".
std::string CheckAddressOrNone(const std::string& text) {
  return text.empty() ? "" : CheckAddress(text);
}

}  // namespace

std::string CheckAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::StrCat(text,
                        " is not ADDRESS:PORT with a port from 0 to 65535");
  }
  return "";
}

void TransportFlags::AddTo(CLI::App* app) {
  AddListenFlags(app);
  AddSecretFlags(app);
  AddConnectionFlags(app);
}

void TransportFlags::AddListenFlags(CLI::App* app) {
  const std::string group = "Listening";
  AddFlag(app, group, "listen", &options_->listen,
          "Where gRPC listens, HOST:PORT; port 0: any free one")
      ->check(CheckAddress)
      ->type_name("ADDRESS");
  AddFlag(app, group, "admin", &options_->admin,
          "Where operators' calls and gRPC's reflection listen, HOST:PORT; not "
          "for strangers; empty: nowhere")
      ->check(CheckAddressOrNone)
      ->type_name("ADDRESS");
  AddFlag(app, group, "health", &options_->health,
          "Where grpc.health.v1 alone listens, HOST:PORT, never with TLS, for "
          "probes that speak none; empty: only beside the other services")
      ->check(CheckAddressOrNone)
      ->type_name("ADDRESS");
}

void TransportFlags::AddSecretFlags(CLI::App* app) {
  const std::string group = "Security (public and admin listener)";
  SecretsOptions& secrets = options_->secrets;
  const auto add = [&](const char* name, std::string* value, const char* help) {
    AddFlag(app, group, name, value, help)->type_name("FILE");
  };
  add("tls-cert", &secrets.tls.certificate,
      "The server's certificate and its intermediates, PEM; empty: plain text");
  add("tls-key", &secrets.tls.key, "The certificate's key, PEM, no password");
  add("tls-client-ca", &secrets.tls.client_authorities,
      "Only clients with a certificate of these authorities, PEM, may connect; "
      "empty: every client");
  add("tokens", &secrets.tokens,
      "Only calls with a token may be made; its lines are a token's SHA-256 "
      "and scopes: classify, admin; empty: every call");
  AddNumberFlag(app, group, "reload-s", &reload_s_, 0.1, 86400,
                "How often these files are read again");
}

void TransportFlags::AddConnectionFlags(CLI::App* app) {
  const std::string group = "Connections";
  const auto add = [&](const char* name, auto* value, double low, double high,
                       const char* help) {
    AddNumberFlag(app, group, name, value, low, high, help);
  };
  add("max-connections", &options_->max_connections, 0, 60'000,
      "Connections at a time on the public listener; a further one is closed; "
      "0: three quarters of the files that the process may open, at most "
      "10000");
  add("max-message-mb", &max_message_mb_, 0.001, 1024,
      "Largest message, in MB of 2^20 bytes");
  add("max-metadata-kb", &max_metadata_kb_, 1, 1024,
      "Largest headers of a call, in KB of 1024 bytes");
  add("max-streams", &options_->limits.max_streams, 1, 1e6,
      "Calls at a time on one connection; further ones wait in the client");
  add("buffer-mb", &buffer_mb_, 1, 1e6,
      "What gRPC may buffer for all connections of a listener, in MB of 2^20 "
      "bytes; near it, it reads more slowly");
  add("upload-mb", &upload_mb_, 1, 1e6,
      "What all messages that are not complete may hold, in MB of 2^20 bytes; "
      "beyond it, the connection that holds most is ended");
  add("receive-timeout-s", &receive_timeout_s_, 0.1, 86400,
      "How long a message may take to arrive; then its connection is ended");
  AddFlag(app, group, "frame-guard", &options_->frame_guard,
          "End connections that flood the server with frames: cancelled calls, "
          "pings, settings, headers without end");
  add("connection-age-s", &age_s_, 0, 1e6,
      "How old a connection may become before its client is asked to open "
      "another, so that clients find new servers; 0: any age");
  add("connection-grace-s", &grace_s_, 1, 1e6,
      "How long calls may go on on a connection that is too old");
  add("connection-idle-s", &idle_s_, 0, 1e6,
      "How long a connection may be without a call; 0: for ever");
  add("keepalive-s", &keepalive_s_, 1, 1e6,
      "How long a client may be silent before it is asked whether it lives");
  add("keepalive-timeout-s", &keepalive_timeout_s_, 0.1, 1e6,
      "How long it may take to answer that");
  add("handshake-timeout-s", &handshake_timeout_s_, 0.1, 3600,
      "How long a new connection may take to begin to speak HTTP/2");
}

absl::Status TransportFlags::Take() {
  const TlsOptions& tls = options_->secrets.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key: one is of no use without the other");
  }
  if (tls.certificate.empty() && !tls.client_authorities.empty()) {
    return absl::InvalidArgumentError(
        "--tls-client-ca: needs --tls-cert and --tls-key");
  }
  options_->secrets.reload_period = FromSeconds(reload_s_);
  ConnectionLimits& limits = options_->limits;
  limits.max_message_bytes =
      static_cast<int>(std::min(max_message_mb_ * kMebi, double{INT_MAX}));
  limits.max_metadata_bytes = static_cast<int>(max_metadata_kb_ * 1024);
  limits.buffer_bytes = static_cast<size_t>(buffer_mb_ * kMebi);
  options_->upload_bytes = static_cast<int64_t>(upload_mb_ * kMebi);
  options_->receive_timeout = FromSeconds(receive_timeout_s_);
  limits.max_age = FromSeconds(age_s_);
  limits.age_grace = FromSeconds(grace_s_);
  limits.max_idle = FromSeconds(idle_s_);
  limits.keepalive = FromSeconds(keepalive_s_);
  limits.keepalive_timeout = FromSeconds(keepalive_timeout_s_);
  limits.handshake_timeout = FromSeconds(handshake_timeout_s_);
  return absl::OkStatus();
}

}  // namespace groupmamba
