#include "client/load/v2_protocol.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/load/v2_request.h"
#include "proto/inference/grpc_service.grpc.pb.h"

namespace groupmamba::client {
namespace {

absl::StatusOr<inference::ModelMetadataResponse> GetMetadata(
    const Connection& connection, const std::string& model, int64_t version) {
  const auto stub =
      inference::GRPCInferenceService::NewStub(connection.channel());
  grpc::ClientContext context;
  connection.Prepare(&context, std::chrono::seconds(5));
  inference::ModelMetadataRequest request;
  request.set_name(model);
  if (version != 0) request.set_version(absl::StrCat(version));
  inference::ModelMetadataResponse metadata;
  GM_RETURN_IF_ERROR(
      ToAbslStatus(stub->ModelMetadata(&context, request, &metadata)));
  return metadata;
}

// The highest that the server names; 0: it names none.
int64_t HighestVersion(const inference::ModelMetadataResponse& metadata) {
  int64_t highest = 0;
  for (const std::string& text : metadata.versions()) {
    int64_t version = 0;
    if (absl::SimpleAtoi(text, &version)) highest = std::max(highest, version);
  }
  return highest;
}

}  // namespace

LoadProtocol V2Protocol() {
  return {"/inference.GRPCInferenceService/ModelInfer",
          [](const grpc::ByteBuffer&) { return LoadReply{}; }};
}

StreamProtocol V2StreamProtocol() {
  return {"/inference.GRPCInferenceService/ModelStreamInfer",
          // A field more in front of the request's own.
          [](const std::string& id, size_t) {
            inference::ModelInferRequest request;
            request.set_id(id);
            return request.SerializeAsString();
          },
          [](const grpc::ByteBuffer& reply) {
            LoadReply read;
            inference::ModelStreamInferResponse response;
            if (!response.ParseFromString(ToString(reply))) return read;
            read.id = response.infer_response().id();
            if (!response.error_message().empty()) {
              read.answer.code = absl::StatusCode::kUnknown;
            }
            return read;
          }};
}

absl::StatusOr<LoadModel> PrepareV2Model(const Connection& connection,
                                         const std::string& model,
                                         int64_t version,
                                         const Payload& pictures) {
  GM_ASSIGN_OR_RETURN(const inference::ModelMetadataResponse metadata,
                      GetMetadata(connection, model, version));
  LoadModel prepared{
      .name = metadata.name(),
      .version = version != 0 ? version : HighestVersion(metadata),
      .requests = {}};
  for (const auto& picture : pictures) {
    GM_ASSIGN_OR_RETURN(inference::ModelInferRequest request,
                        MakeV2Request(metadata, *picture));
    if (version != 0) request.set_model_version(absl::StrCat(version));
    prepared.requests.Add(request);
  }
  return prepared;
}

}  // namespace groupmamba::client
