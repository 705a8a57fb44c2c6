// A load test's target that speaks the V2 inference protocol: our own server,
// Triton, OVMS, KServe.

#ifndef GROUPMAMBA_CLIENT_LOAD_V2_TARGET_H_
#define GROUPMAMBA_CLIENT_LOAD_V2_TARGET_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "client/connection.h"
#include "client/load/payload.h"
#include "client/load/runner.h"
#include "proto/inference/grpc_service.grpc.pb.h"

namespace groupmamba::client {

// Its replies hold no receipt: the server's share of an answer is 0.
class V2Target : public LoadTarget {
 public:
  // Asks for the model's metadata, and makes a request of each picture in
  // `payload`. `version` 0: the server's choice. The connection must outlive
  // the target. Errors: the call's; INVALID_ARGUMENT, see MakeV2Request.
  static absl::StatusOr<std::unique_ptr<V2Target>> Open(
      const Connection& connection, const std::string& model, int64_t version,
      const Payload& payload, Duration deadline);

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override;

  const std::string& model() const { return model_; }
  int64_t version() const { return version_; }  // 0: the server named none

 private:
  explicit V2Target(const std::shared_ptr<grpc::Channel>& channel,
                    Duration deadline)
      : stub_(inference::GRPCInferenceService::NewStub(channel)),
        deadline_(deadline) {}

  const std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  const Duration deadline_;
  std::string model_;
  int64_t version_ = 0;
  std::vector<inference::ModelInferRequest> requests_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_V2_TARGET_H_
