// What a load test calls over gRPC: serialised requests, sent in turn over
// several connections. A protocol is a method's name and a function that reads
// its reply.

#ifndef GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_
#define GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_

#include <google/protobuf/message_lite.h>
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
#include "client/load/target.h"

namespace groupmamba::client {

// The requests of one model, which are sent in turn.
struct LoadRequests {
  // Serialises one more.
  void Add(const google::protobuf::MessageLite& request);

  double weight = 1;  // how often this model is called, beside the others'
  std::vector<grpc::ByteBuffer> messages;  // at least one
  std::vector<uint32_t> crcs;              // CRC-32 of each message
};

// A model that is called.
struct LoadModel {
  std::string name;     // as the server says it
  int64_t version = 0;  // 0: the server named none
  LoadRequests requests;
};

struct LoadProtocol {
  std::string method;  // "/package.Service/Method"

  // The answer that a reply's bytes hold; INTERNAL where they hold none.
  std::function<LoadAnswer(const grpc::ByteBuffer&)> read;
};

// groupmamba.v1.Classifier/Classify.
LoadProtocol ClassifyProtocol();

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
  // At least one connection and one model. Which model is called is drawn by
  // weight, from the seed and the call's index.
  GrpcTarget(LoadProtocol protocol,
             std::vector<std::unique_ptr<Connection>> connections,
             std::vector<LoadRequests> models, Duration deadline,
             uint64_t seed);

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override;

  // The CRC-32 of the message that call `index` sends. Thread-safe.
  uint32_t Crc(int64_t index) const;

 private:
  struct Choice {
    size_t model;
    size_t message;
  };
  Choice Choose(int64_t index) const;

  const LoadProtocol protocol_;
  const std::vector<std::unique_ptr<Connection>> connections_;
  const std::vector<LoadRequests> models_;
  const Duration deadline_;
  const uint64_t seed_;
  double weights_ = 0;  // their sum
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_GRPC_TARGET_H_
