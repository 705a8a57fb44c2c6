// The way to a server: a channel with the client's caps and retry policy, and
// the question whether the server can be reached at all.

#ifndef GROUPMAMBA_CLIENT_CONNECTION_H_
#define GROUPMAMBA_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "client/security.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"

namespace groupmamba::client {

// What fits into one message, less the room that its other fields may take.
// Whether a picture is too large for the server is the server's to say.
inline constexpr size_t kMaxPictureBytes = (32u << 20) - (64u << 10);

struct ConnectionOptions {
  // HOST:PORT; several of them with commas between; or a gRPC name such as
  // dns:///name:port. Calls go in turn to all servers that several, or the
  // name, stand for, as far as they can be reached.
  std::string target = "localhost:8001";

  // How long the first connection may take. A refusal ends the wait at once.
  double connect_timeout_s = 5;

  // Retries UNAVAILABLE and RESOURCE_EXHAUSTED, at most five attempts a call,
  // after a jittered back-off or as long as the server's push-back asks for.
  bool retries = true;

  // Whether the connection to a server may be one that another Connection has
  // opened; gRPC shares them otherwise.
  bool shared = true;

  SecurityOptions security;
};

// `target` as gRPC takes it: a list becomes the numeric addresses that it
// stands for. INVALID_ARGUMENT, with a sentence for the user, where one of a
// list cannot be found.
absl::StatusOr<std::string> ChannelTarget(const std::string& target);

// The retry policy as gRPC's service config.
std::string RetryServiceConfig();

// gRPC's status as Abseil's; the codes are the same.
absl::Status ToAbslStatus(const grpc::Status& status);

// The answer to one Classify, and how long it took by the client's clock, with
// its retries.
struct ClassifyOutcome {
  absl::StatusOr<v1::ClassifyResponse> response;
  Duration round_trip{};
};

// Thread-safe. Calls must have ended before it is destroyed.
class Connection {
 public:
  // Connects, at most `connect_timeout_s` long. UNAVAILABLE, with a sentence
  // that says what to do next, when the server cannot be reached; the errors of
  // LoadSecurity.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(
      const ConnectionOptions& options);

  // Starts a call. `done` is called once, on a thread of gRPC's.
  void StartClassify(std::shared_ptr<const v1::ClassifyRequest> request,
                     Duration deadline,
                     std::function<void(ClassifyOutcome)> done);

  // The same for any unary method and a message that is serialised already,
  // which must live until `done` is called. `request_id`: sent as x-request-id;
  // empty: none is.
  void StartCall(
      const std::string& method, const std::string& request_id,
      const grpc::ByteBuffer* request, Duration deadline,
      std::function<void(const grpc::Status&, const grpc::ByteBuffer& response)>
          done);

  // Prepares a bidirectional stream of any method; the reactor starts it.
  // Neither it nor the context may go before the stream is done.
  void StartStream(
      const std::string& method, grpc::ClientContext* context,
      grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* reactor);

  // Blocking calls, bounded by `deadline`.
  absl::StatusOr<v1::ListModelsResponse> ListModels(Duration deadline);
  absl::StatusOr<v1::GetModelResponse> GetModel(const std::string& model,
                                                int64_t version,
                                                Duration deadline);
  absl::StatusOr<::grpc::health::v1::HealthCheckResponse> CheckHealth(
      const std::string& service, Duration deadline);

  // Whether a call that ended with `status` found nobody to talk to, as opposed
  // to a server that answered UNAVAILABLE.
  bool IsLost(const absl::Status& status) const;

  // Readies a call: its deadline, from now, and the token.
  void Prepare(grpc::ClientContext* context, Duration deadline) const;

  // For calls of other services than ours; Prepare() them.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // The sentence of Open()'s error.
  std::string UnreachableMessage() const;

 private:
  Connection(const ConnectionOptions& options, std::string authorization,
             std::shared_ptr<grpc::Channel> channel);

  void AddToken(grpc::ClientContext* context) const;

  const ConnectionOptions options_;
  const std::string authorization_;  // empty: none
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Classifier::Stub> classifier_;
  const std::unique_ptr<grpc::GenericStub> generic_;
  const std::unique_ptr<::grpc::health::v1::Health::Stub> health_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_CONNECTION_H_
