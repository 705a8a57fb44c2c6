// One gRPC server on one address, and what it takes from strangers.

#ifndef GROUPMAMBA_SERVER_LISTENER_H_
#define GROUPMAMBA_SERVER_LISTENER_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "server/acceptor.h"
#include "server/connections.h"

namespace groupmamba {

// The same for every listener.
struct ConnectionLimits {
  // A larger message is refused with RESOURCE_EXHAUSTED before it is read.
  int max_message_bytes = 32 << 20;

  // Larger headers of a call are refused with RESOURCE_EXHAUSTED.
  int max_metadata_bytes = 8 << 10;

  // Calls at the same time on one connection; further ones wait in the client.
  int max_streams = 1024;

  // What gRPC may use for its buffers, all connections of a listener together;
  // near it, it reads more slowly.
  size_t buffer_bytes = size_t{512} << 20;

  // A connection this old, give or take a tenth, is told to end: its client
  // opens another, maybe to another server, and calls that run may go on for
  // the grace. Zero: it may stay.
  Duration max_age = Duration::zero();
  Duration age_grace = std::chrono::seconds(120);

  // A connection without a call for this long is told to end. Zero: it may
  // stay.
  Duration max_idle = std::chrono::minutes(10);

  // A client that is silent this long is asked whether it lives, and is
  // disconnected when it does not answer within the timeout.
  Duration keepalive = std::chrono::seconds(60);
  Duration keepalive_timeout = std::chrono::seconds(20);

  // From a connection's beginning to its first HTTP/2 settings, TLS included.
  Duration handshake_timeout = std::chrono::seconds(10);
};

class Listener {
 public:
  struct Options {
    std::string address;  // HOST:PORT; port 0: the system chooses
    ConnectionLimits limits;

    // What callers have to prove; null: nothing, in plain text.
    std::shared_ptr<grpc::ServerCredentials> credentials = {};

    // Whom it lets in, and who they are; not null.
    std::shared_ptr<Connections> connections = {};

    // Whether it describes its services to whoever asks (gRPC's server
    // reflection).
    bool reflection = false;
  };

  // Begins to listen and to serve. The services must outlive it; one service
  // may be in several listeners.
  // Errors: UNAVAILABLE, the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(
      const Options& options, const std::vector<grpc::Service*>& services);

  // The chosen port.
  int port() const { return acceptor_->port(); }

  // Ends all connections; calls that come meanwhile are not seen, and clients
  // make them elsewhere. Calls that are not finished within `grace`, of real
  // time, are cancelled. Every call must be finished or finish when cancelled.
  void Shutdown(Duration grace);

 private:
  Listener() = default;

  std::shared_ptr<Connections> connections_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_LISTENER_H_
