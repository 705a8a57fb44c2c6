// Where the server can be reached over gRPC: the public listener, and two that
// are off unless asked for: one for operators, one for probes.

#ifndef GROUPMAMBA_SERVER_TRANSPORT_H_
#define GROUPMAMBA_SERVER_TRANSPORT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "grpcpp/impl/service_type.h"
#include "server/call_gate.h"
#include "server/connections.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/secrets.h"

namespace groupmamba {

struct TransportOptions {
  // HOST:PORT; port 0: the system chooses.
  std::string listen = "0.0.0.0:8001";

  // For operators: reflection, models. Empty: none.
  std::string admin;

  // For probes that speak no TLS: health alone, always in plain text. Empty:
  // none.
  std::string health;

  // Of the public and the admin listener.
  SecretsOptions secrets;

  // 0: three quarters of the files that the process may open, at most 10,000.
  int max_connections = 0;

  // Whether floods of frames are noticed; server/frame_counter.h.
  bool frame_guard = true;

  // See ConnectionPolicy.
  int64_t upload_bytes = int64_t{256} << 20;
  Duration receive_timeout = std::chrono::seconds(60);

  ConnectionLimits limits;
};

// What each listener serves.
struct TransportServices {
  std::vector<grpc::Service*> open;
  std::vector<grpc::Service*> admin;
  std::vector<grpc::Service*> health;
};

// Its life: Create, Listen, serving, Shutdown. Ports and Listen are for one
// thread.
class Transport {
 public:
  // Reads certificates and tokens, and adds what it counts to `metrics`, which
  // must outlive it, as must `clock`. Errors: those of Secrets::Load.
  static absl::StatusOr<std::unique_ptr<Transport>> Create(
      const TransportOptions& options, Metrics* metrics, Clock* clock);

  // Begins to listen and to serve. The services must outlive it; a service may
  // be in several lists.
  // Errors: UNAVAILABLE, an address cannot be listened on.
  absl::Status Listen(const TransportServices& services);

  // The chosen ports; 0: there is no such listener.
  int port() const { return open_ ? open_->port() : 0; }
  int admin_port() const { return admin_ ? admin_->port() : 0; }
  int health_port() const { return health_ ? health_->port() : 0; }

  // Ends all connections. Calls that are not finished within `grace`, of real
  // time, are cancelled. Every call must be finished or finish when cancelled.
  void Shutdown(Duration grace);

 private:
  Transport(const TransportOptions& options, std::shared_ptr<Secrets> secrets,
            Metrics* metrics, const Clock* clock);

  std::shared_ptr<Connections> MakeConnections(int max, bool tls,
                                               const Clock* clock) const;

  const TransportOptions options_;
  const std::shared_ptr<const Secrets> secrets_;
  CallGate open_gate_;
  CallGate admin_gate_;
  const std::shared_ptr<Connections> open_connections_;
  const std::shared_ptr<Connections> admin_connections_;
  const std::shared_ptr<Connections> health_connections_;
  std::unique_ptr<Listener> open_;
  std::unique_ptr<Listener> admin_;
  std::unique_ptr<Listener> health_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TRANSPORT_H_
