// Accepts connections and hands them to gRPC, whose own listener goes deaf for
// good once the process has run out of file descriptors (docs/security.md).

#ifndef GROUPMAMBA_SERVER_ACCEPTOR_H_
#define GROUPMAMBA_SERVER_ACCEPTOR_H_

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/server_builder.h"
#include "server/connections.h"

namespace groupmamba {

class Acceptor {
 public:
  // Listens; connections wait in the system until Start. `address` HOST:PORT,
  // port 0: the system chooses.
  // Errors: UNAVAILABLE, the address cannot be listened on; INTERNAL, the
  // program was linked wrongly.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Bind(
      const std::string& address, std::shared_ptr<Connections> connections);

  // Stops, if nobody did.
  ~Acceptor();

  int port() const { return port_; }

  // Begins to accept, on a thread of its own. `server` is the way into gRPC.
  // Once.
  void Start(
      std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server);

  // Accepts no more, and stops listening.
  void Stop();

 private:
  explicit Acceptor(std::shared_ptr<Connections> connections);

  absl::Status Listen(const std::string& address);
  void Run();
  bool AcceptAll(int listener);
  void Accepted(int listener, int fd);
  bool RefuseOne(int listener);

  const std::shared_ptr<Connections> connections_;
  std::vector<int> listeners_;
  int port_ = 0;
  int stop_ = -1;   // an eventfd
  int spare_ = -1;  // given up to accept one that is then refused
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> server_;
  std::thread thread_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ACCEPTOR_H_
