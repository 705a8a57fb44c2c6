#include "client/load/grpc_target.h"

#include <grpcpp/support/slice.h>

#include <chrono>
#include <utility>

#include "base/status_macros.h"

namespace groupmamba::client {
namespace {

LoadReply ReplyOf(const v1::ClassifyResponse& response) {
  LoadReply reply{.id = response.request_id(), .crc = response.request_crc32()};
  LoadAnswer& answer = reply.answer;
  answer.version = response.version();
  const v1::Timing& timing = response.timing();
  answer.batch_size = timing.batch_size();
  answer.server_decode = FromMilliseconds(timing.decode_ms());
  answer.server_queue = FromMilliseconds(timing.queue_ms());
  answer.server_batch_wait = FromMilliseconds(timing.batch_wait_ms());
  answer.server_inference = FromMilliseconds(timing.inference_ms());
  answer.server_total = FromMilliseconds(timing.total_ms());
  return reply;
}

LoadReply ReadClassifyResponse(const grpc::ByteBuffer& bytes) {
  v1::ClassifyResponse response;
  if (response.ParseFromString(ToString(bytes))) return ReplyOf(response);
  return {.answer = {.code = absl::StatusCode::kInternal}};
}

LoadReply ReadStreamResponse(const grpc::ByteBuffer& bytes) {
  v1::ClassifyStreamResponse response;
  if (!response.ParseFromString(ToString(bytes))) return {};
  LoadReply reply = ReplyOf(response.response());
  reply.id = response.id();
  reply.answer.code = static_cast<absl::StatusCode>(response.code());
  return reply;
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
    request.set_version(version);
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
      protocol_.method,
      requests_->is_named() ? requests_->RequestId(index) : "",
      &requests_->Message(index), deadline_,
      [this, index, done = std::move(done)](const grpc::Status& status,
                                            const grpc::ByteBuffer& reply) {
        if (status.ok()) {
          done(requests_->AnswerTo(index, protocol_.read(reply)));
        } else {
          done({.code = static_cast<absl::StatusCode>(status.error_code())});
        }
      });
}

}  // namespace groupmamba::client
