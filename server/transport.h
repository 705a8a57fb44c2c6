// The gRPC server: where it listens, and what it takes from strangers.

#ifndef GROUPMAMBA_SERVER_TRANSPORT_H_
#define GROUPMAMBA_SERVER_TRANSPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server.h"

namespace groupmamba {

struct TransportOptions {
  // HOST:PORT; port 0: the system chooses.
  std::string listen = "0.0.0.0:8001";

  // A larger message is refused with RESOURCE_EXHAUSTED before it is read.
  int max_message_bytes = 32 << 20;

  // Calls at the same time on one connection; further ones wait in the client.
  int max_streams = 1024;

  // What gRPC may use for its buffers, all connections together; near it, it
  // reads more slowly.
  size_t buffer_bytes = size_t{512} << 20;
};

class Transport {
 public:
  // Begins to listen and to serve. The services must outlive it.
  // Errors: UNAVAILABLE, the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Transport>> Start(
      const TransportOptions& options,
      const std::vector<grpc::Service*>& services);

  // The chosen port.
  int port() const { return port_; }

  // Ends all connections. Calls that are not finished within `grace`, of real
  // time, are cancelled. Every call must be finished or finish when cancelled.
  void Shutdown(Duration grace);

 private:
  Transport(std::unique_ptr<grpc::Server> server, int port)
      : server_(std::move(server)), port_(port) {}

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TRANSPORT_H_
