// What a load test calls over gRPC, a call for each request: serialised
// requests, sent in turn over several connections. A protocol is a method's
// name and a function that reads its reply.

#ifndef GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_
#define GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "client/connection.h"
#include "client/load/payload.h"
#include "client/load/request_mix.h"
#include "client/load/stream_target.h"
#include "client/load/target.h"

namespace groupmamba::client {

struct LoadProtocol {
  std::string method;  // "/package.Service/Method"

  // What a reply's bytes hold; INTERNAL where they hold no answer.
  std::function<LoadReply(const grpc::ByteBuffer&)> read;
};

// groupmamba.v1.Classifier/Classify and ClassifyStream.
LoadProtocol ClassifyProtocol();
StreamProtocol ClassifyStreamProtocol(Duration deadline);

// The bytes of a message, in one piece.
std::string ToString(const grpc::ByteBuffer& buffer);

// Asks for the model and makes a request of each picture. `version` 0: the
// server's choice, which is then fixed: a run is of one model, whatever is
// loaded meanwhile. Errors: the call's.
absl::StatusOr<LoadModel> PrepareClassifyModel(Connection* connection,
                                               const std::string& model,
                                               int64_t version,
                                               const Payload& pictures);

// Start() is called by one thread at a time.
class GrpcTarget : public LoadTarget {
 public:
  // At least one connection. `requests` must outlive it.
  GrpcTarget(LoadProtocol protocol,
             std::vector<std::unique_ptr<Connection>> connections,
             const RequestMix* requests, Duration deadline);

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override;

 private:
  const LoadProtocol protocol_;
  const std::vector<std::unique_ptr<Connection>> connections_;
  const RequestMix* const requests_;
  const Duration deadline_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_
