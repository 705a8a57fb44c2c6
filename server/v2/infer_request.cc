#include "server/v2/infer_request.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "server/status_map.h"
#include "server/v2/tensors.h"

namespace groupmamba::v2 {
namespace {

using inference::ModelInferRequest;
using Input = inference::ModelInferRequest::InferInputTensor;

absl::Span<const uint8_t> Bytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

absl::Status CheckInput(const ModelInferRequest& message,
                        const ModelView& view) {
  const auto is_ours = [&](const Input& input) {
    return input.name() == view.input_name();
  };
  if (message.inputs_size() != 1 || !is_ours(message.inputs(0))) {
    return Error(Reason::kBadTensor,
                 absl::StrCat("the model takes one input, '", view.input_name(),
                              "', and it once"));
  }
  const Input& input = message.inputs(0);
  if (input.datatype() != view.datatype()) {
    return Error(Reason::kBadTensor,
                 absl::StrCat("the input's datatype is ", view.datatype()));
  }
  return CheckInputParameters(input.parameters());
}

// The number of pictures.
absl::StatusOr<size_t> ReadBatch(const Input& input, const ModelView& view,
                                 int max_batch) {
  const std::vector<int64_t> dims = view.dims();
  const auto& shape = input.shape();
  if (shape.empty() ||
      !std::equal(shape.begin() + 1, shape.end(), dims.begin(), dims.end())) {
    return Error(Reason::kBadTensor,
                 absl::StrCat("the input's shape is [N, ",
                              absl::StrJoin(dims, ", "), "], N pictures"));
  }
  if (shape[0] < 1 || shape[0] > max_batch) {
    return Error(Reason::kBadBatch,
                 absl::StrCat("a request holds 1 to ", max_batch, " pictures"));
  }
  return static_cast<size_t>(shape[0]);
}

absl::Status ReadPictures(const ModelInferRequest& message,
                          const ModelView& view, size_t batch,
                          InferRequest* request) {
  if (view.kind == InputKind::kEncoded) {
    GM_ASSIGN_OR_RETURN(const std::vector<absl::string_view> files,
                        ReadBytes(message, batch));
    for (absl::string_view file : files) {
      request->pictures.push_back(
          {.kind = Picture::Kind::kFile, .bytes = Bytes(file)});
    }
    return absl::OkStatus();
  }
  const int64_t side = view.model->folder().config.input.crop;
  const size_t size = size_t{3} * side * side;
  GM_ASSIGN_OR_RETURN(
      const absl::string_view pixels,
      ReadUint8(message, batch * size, request->unpacked.get()));
  for (size_t i = 0; i < batch; ++i) {
    request->pictures.push_back({.kind = Picture::Kind::kModelInput,
                                 .bytes = Bytes(pixels.substr(i * size, size)),
                                 .width = side,
                                 .height = side});
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ReadOutputs(const ModelInferRequest& message) {
  if (message.outputs().empty()) return 0;
  if (message.outputs_size() != 1 || message.outputs(0).name() != kOutput) {
    return Error(Reason::kBadTensor,
                 absl::StrCat("the model gives one output, '", kOutput,
                              "', and it once"));
  }
  return ReadOutputParameters(message.outputs(0).parameters());
}

}  // namespace

absl::StatusOr<InferRequest> ReadInferRequest(const ModelInferRequest& message,
                                              const ModelView& view,
                                              int max_batch) {
  InferRequest request;
  GM_ASSIGN_OR_RETURN(request.parameters,
                      ReadRequestParameters(message.parameters()));
  GM_ASSIGN_OR_RETURN(request.classification, ReadOutputs(message));
  GM_RETURN_IF_ERROR(CheckInput(message, view));
  GM_ASSIGN_OR_RETURN(const size_t batch,
                      ReadBatch(message.inputs(0), view, max_batch));
  GM_RETURN_IF_ERROR(ReadPictures(message, view, batch, &request));
  return request;
}

}  // namespace groupmamba::v2
