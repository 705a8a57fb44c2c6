#include "client/load/v2_request.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

using Tensor = inference::ModelMetadataResponse::TensorMetadata;

// The raw form of a BYTES tensor with one element.
std::string OneElement(const std::string& file) {
  const auto length = static_cast<uint32_t>(file.size());
  std::string raw;
  for (int shift = 0; shift < 32; shift += 8) {
    raw.push_back(static_cast<char>(length >> shift));
  }
  return raw + file;
}

// Numbers in the shape with a batch of one.
int64_t Elements(const Tensor& input) {
  int64_t elements = 1;
  for (const int64_t dim : input.shape()) {
    // No picture is that large; so the product cannot overflow.
    if (dim < -1 || dim > INT32_MAX || elements > INT32_MAX) return -1;
    elements *= dim == -1 ? 1 : dim;
  }
  return elements;
}

absl::StatusOr<std::string> Contents(const Tensor& input,
                                     const v1::ClassifyRequest& picture) {
  if (input.datatype() == "BYTES" && picture.has_encoded()) {
    return OneElement(picture.encoded());
  }
  if (input.datatype() == "UINT8" && picture.has_raw()) {
    if (Elements(input) == static_cast<int64_t>(picture.raw().rgb().size())) {
      return picture.raw().rgb();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "load: the model takes UINT8 [", absl::StrJoin(input.shape(), ", "),
        "], which is another size than ", picture.raw().width(), "x",
        picture.raw().height(), "; give its own with --synthetic WxH --raw"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "load: the model takes ", Printable(input.datatype()),
      "; load sends picture files (PATH...) to models that take BYTES, and raw "
      "pixels (--synthetic WxH --raw) to models that take UINT8"));
}

}  // namespace

absl::StatusOr<inference::ModelInferRequest> MakeV2Request(
    const inference::ModelMetadataResponse& model,
    const v1::ClassifyRequest& picture) {
  if (model.inputs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("load: the model has ", model.inputs_size(),
                     " inputs; load can fill one"));
  }
  const Tensor& described = model.inputs(0);
  inference::ModelInferRequest request;
  request.set_model_name(model.name());
  auto* input = request.add_inputs();
  input->set_name(described.name());
  input->set_datatype(described.datatype());
  for (const int64_t dim : described.shape()) {
    input->add_shape(dim == -1 ? 1 : dim);
  }
  GM_ASSIGN_OR_RETURN(std::string raw, Contents(described, picture));
  *request.add_raw_input_contents() = std::move(raw);
  return request;
}

}  // namespace groupmamba::client
