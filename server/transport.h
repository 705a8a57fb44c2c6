// Where the server can be reached over gRPC: the public listener, and two that
// are off unless asked for: one for operators, one for probes.

#ifndef GROUPMAMBA_SERVER_TRANSPORT_H_
#define GROUPMAMBA_SERVER_TRANSPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "grpcpp/impl/service_type.h"
#include "server/listener.h"

namespace groupmamba {

struct TransportOptions {
  // HOST:PORT; port 0: the system chooses.
  std::string listen = "0.0.0.0:8001";

  // For operators: reflection, models. Empty: none.
  std::string admin;

  // For probes that speak no TLS: health alone, always in plain text. Empty:
  // none.
  std::string health;

  ConnectionLimits limits;
};

// What each listener serves.
struct TransportServices {
  std::vector<grpc::Service*> open;
  std::vector<grpc::Service*> admin;
  std::vector<grpc::Service*> health;
};

class Transport {
 public:
  // Begins to listen and to serve. The services must outlive it; a service may
  // be in several lists.
  // Errors: UNAVAILABLE, an address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Transport>> Start(
      const TransportOptions& options, const TransportServices& services);

  // The chosen ports; 0: there is no such listener.
  int port() const { return open_->port(); }
  int admin_port() const { return admin_ ? admin_->port() : 0; }
  int health_port() const { return health_ ? health_->port() : 0; }

  // Ends all connections. Calls that are not finished within `grace`, of real
  // time, are cancelled. Every call must be finished or finish when cancelled.
  void Shutdown(Duration grace);

 private:
  Transport() = default;

  std::unique_ptr<Listener> open_;
  std::unique_ptr<Listener> admin_;
  std::unique_ptr<Listener> health_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TRANSPORT_H_
