#include "client/load/grpc_target.h"

#include <grpcpp/support/slice.h>

#include <chrono>
#include <utility>

#include "base/status_macros.h"

namespace groupmamba::client {
namespace {

void Fill(const v1::ClassifyResponse& response, LoadAnswer* answer) {
  answer->version = response.version();
  const v1::Timing& timing = response.timing();
  answer->batch_size = timing.batch_size();
  answer->server_decode = FromMilliseconds(timing.decode_ms());
  answer->server_queue = FromMilliseconds(timing.queue_ms());
  answer->server_batch_wait = FromMilliseconds(timing.batch_wait_ms());
  answer->server_inference = FromMilliseconds(timing.inference_ms());
  answer->server_total = FromMilliseconds(timing.total_ms());
}

LoadAnswer ReadClassifyResponse(const grpc::ByteBuffer& reply) {
  LoadAnswer answer;
  v1::ClassifyResponse response;
  if (response.ParseFromString(ToString(reply))) {
    Fill(response, &answer);
  } else {
    answer.code = absl::StatusCode::kInternal;
  }
  return answer;
}

StreamAnswer ReadStreamResponse(const grpc::ByteBuffer& reply) {
  StreamAnswer read;
  v1::ClassifyStreamResponse response;
  if (!response.ParseFromString(ToString(reply))) return read;
  read.id = response.id();
  read.answer.code = static_cast<absl::StatusCode>(response.code());
  if (response.has_response()) Fill(response.response(), &read.answer);
  return read;
}

}  // namespace

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

LoadProtocol ClassifyProtocol() {
  return {"/groupmamba.v1.Classifier/Classify", ReadClassifyResponse};
}

StreamProtocol ClassifyStreamProtocol(Duration deadline) {
  const auto milliseconds = static_cast<uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(deadline).count());
  return {"/groupmamba.v1.Classifier/ClassifyStream",
          [milliseconds](const std::string& id, size_t request_bytes) {
            v1::ClassifyStreamRequest item;
            item.set_id(id);
            item.set_deadline_ms(milliseconds);
            return item.SerializeAsString() +
                   FieldHead(v1::ClassifyStreamRequest::kRequestFieldNumber,
                             request_bytes);
          },
          ReadStreamResponse};
}

absl::StatusOr<LoadModel> PrepareClassifyModel(Connection* connection,
                                               const std::string& model,
                                               int64_t version,
                                               const Payload& pictures) {
  GM_ASSIGN_OR_RETURN(
      const v1::GetModelResponse found,
      connection->GetModel(model, version, std::chrono::seconds(5)));
  LoadModel prepared{.name = found.model().name(),
                     .version = found.model().version(),
                     .requests = {}};
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
                       const RequestMix* requests, Duration deadline)
    : protocol_(std::move(protocol)),
      connections_(std::move(connections)),
      requests_(requests),
      deadline_(deadline) {}

void GrpcTarget::Start(int64_t index,
                       std::function<void(const LoadAnswer&)> done) {
  connections_[index % connections_.size()]->StartCall(
      protocol_.method, &requests_->Message(index), deadline_,
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

}  // namespace groupmamba::client
