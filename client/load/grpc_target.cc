#include "client/load/grpc_target.h"

#include <grpcpp/support/slice.h>
#include <zlib.h>

#include <chrono>
#include <utility>

#include "base/status_macros.h"

namespace groupmamba::client {
namespace {

Duration FromMilliseconds(double milliseconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(milliseconds));
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

LoadAnswer ReadClassifyResponse(const grpc::ByteBuffer& reply) {
  LoadAnswer answer;
  v1::ClassifyResponse response;
  if (!response.ParseFromString(ToString(reply))) {
    answer.code = absl::StatusCode::kInternal;
    return answer;
  }
  answer.version = response.version();
  const v1::Timing& timing = response.timing();
  answer.batch_size = timing.batch_size();
  answer.server_decode = FromMilliseconds(timing.decode_ms());
  answer.server_queue = FromMilliseconds(timing.queue_ms());
  answer.server_batch_wait = FromMilliseconds(timing.batch_wait_ms());
  answer.server_inference = FromMilliseconds(timing.inference_ms());
  answer.server_total = FromMilliseconds(timing.total_ms());
  return answer;
}

// A fraction of 1 that looks like chance and is a function of both: the finish
// of SplitMix64.
double Fraction(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0xD1B54A32D192ED03 + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) / 9007199254740992.0;  // 2^53
}

}  // namespace

void LoadRequests::Add(const google::protobuf::MessageLite& request) {
  const std::string bytes = request.SerializeAsString();
  crcs.push_back(static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
  const grpc::Slice slice(bytes);
  messages.emplace_back(&slice, 1);
}

LoadProtocol ClassifyProtocol() {
  return {"/groupmamba.v1.Classifier/Classify", ReadClassifyResponse};
}

absl::StatusOr<LoadModel> PrepareClassifyModel(Connection* connection,
                                               const std::string& model,
                                               int64_t version,
                                               const Payload& pictures) {
  GM_ASSIGN_OR_RETURN(
      const v1::GetModelResponse found,
      connection->GetModel(model, version, std::chrono::seconds(5)));
  LoadModel prepared{.name = found.model().name(),
                     .version = found.model().version()};
  for (const auto& picture : pictures) {
    v1::ClassifyRequest request = *picture;
    request.set_model(prepared.name);
    request.set_version(prepared.version);
    prepared.requests.Add(request);
  }
  return prepared;
}

GrpcTarget::GrpcTarget(LoadProtocol protocol,
                       std::vector<std::unique_ptr<Connection>> connections,
                       std::vector<LoadRequests> models, Duration deadline,
                       uint64_t seed)
    : protocol_(std::move(protocol)),
      connections_(std::move(connections)),
      models_(std::move(models)),
      deadline_(deadline),
      seed_(seed) {
  for (const LoadRequests& model : models_) weights_ += model.weight;
}

GrpcTarget::Choice GrpcTarget::Choose(int64_t index) const {
  size_t model = 0;
  if (models_.size() > 1) {
    double at = Fraction(seed_, index) * weights_;
    while (model + 1 < models_.size() && at >= models_[model].weight) {
      at -= models_[model++].weight;
    }
  }
  return {model, index % models_[model].messages.size()};
}

void GrpcTarget::Start(int64_t index,
                       std::function<void(const LoadAnswer&)> done) {
  const Choice choice = Choose(index);
  connections_[index % connections_.size()]->StartCall(
      protocol_.method, &models_[choice.model].messages[choice.message],
      deadline_,
      [this, done = std::move(done)](const grpc::Status& status,
                                     const grpc::ByteBuffer& reply) {
        LoadAnswer answer;
        if (status.ok()) {
          answer = protocol_.read(reply);
        } else {
          answer.code = static_cast<absl::StatusCode>(status.error_code());
        }
        done(answer);
      });
}

uint32_t GrpcTarget::Crc(int64_t index) const {
  const Choice choice = Choose(index);
  return models_[choice.model].crcs[choice.message];
}

}  // namespace groupmamba::client
