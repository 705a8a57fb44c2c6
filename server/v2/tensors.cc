#include "server/v2/tensors.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/status_map.h"

namespace groupmamba::v2 {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;

constexpr size_t kLengthBytes = 4;

absl::Status BadTensor(absl::string_view sentence) {
  return Error(Reason::kBadTensor, sentence);
}

uint32_t LittleEndian(absl::string_view four) {
  uint32_t value = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    value |= uint32_t{static_cast<uint8_t>(four[i])} << (8 * i);
  }
  return value;
}

// How many elements lie in any of the typed fields.
int64_t TypedElements(const InferTensorContents& typed) {
  return int64_t{typed.bool_contents_size()} + typed.int_contents_size() +
         typed.int64_contents_size() + typed.uint_contents_size() +
         typed.uint64_contents_size() + typed.fp32_contents_size() +
         typed.fp64_contents_size() + typed.bytes_contents_size();
}

// Whether the tensor is raw; an error when it is both, neither, or when other
// entries lie beside it.
absl::StatusOr<bool> IsRaw(const ModelInferRequest& request) {
  const int raw = request.raw_input_contents_size();
  const int64_t typed = TypedElements(request.inputs(0).contents());
  if (raw > 1) {
    return BadTensor("raw_input_contents has more entries than inputs");
  }
  if (raw == 1 && typed > 0) {
    return BadTensor(
        "raw_input_contents and contents exclude each other; send one of them");
  }
  if (raw == 0 && typed == 0) return BadTensor("the input has no contents");
  return raw == 1;
}

// `given`: in the field that the datatype asks for.
absl::Status CheckTyped(const InferTensorContents& typed, int given,
                        size_t count, absl::string_view field) {
  if (TypedElements(typed) != given) {
    return BadTensor(
        absl::StrCat("the input's contents belong in ", field, " alone"));
  }
  if (static_cast<size_t>(given) != count) {
    return BadTensor(absl::StrCat("the input has ", given,
                                  " elements; its shape asks for ", count));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::string_view>> ParseBytes(absl::string_view raw,
                                                          size_t count) {
  // Before anything is allocated by the count.
  if (raw.size() / kLengthBytes < count) {
    return BadTensor("a BYTES element is shorter than its length says");
  }
  std::vector<absl::string_view> elements;
  elements.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (raw.size() < kLengthBytes ||
        raw.size() - kLengthBytes < LittleEndian(raw)) {
      return BadTensor("a BYTES element is shorter than its length says");
    }
    const uint32_t length = LittleEndian(raw);
    elements.push_back(raw.substr(kLengthBytes, length));
    raw.remove_prefix(kLengthBytes + length);
  }
  if (!raw.empty()) {
    return BadTensor("more BYTES elements than the shape says");
  }
  return elements;
}

}  // namespace

absl::StatusOr<std::vector<absl::string_view>> ReadBytes(
    const ModelInferRequest& request, size_t count) {
  GM_ASSIGN_OR_RETURN(const bool raw, IsRaw(request));
  if (raw) return ParseBytes(request.raw_input_contents(0), count);
  const InferTensorContents& typed = request.inputs(0).contents();
  GM_RETURN_IF_ERROR(
      CheckTyped(typed, typed.bytes_contents_size(), count, "bytes_contents"));
  return std::vector<absl::string_view>(typed.bytes_contents().begin(),
                                        typed.bytes_contents().end());
}

absl::StatusOr<absl::string_view> ReadUint8(const ModelInferRequest& request,
                                            size_t count,
                                            std::string* unpacked) {
  GM_ASSIGN_OR_RETURN(const bool raw, IsRaw(request));
  if (raw) {
    const std::string& bytes = request.raw_input_contents(0);
    if (bytes.size() != count) {
      return BadTensor(absl::StrCat("the input has ", bytes.size(),
                                    " bytes; its shape asks for ", count));
    }
    return bytes;
  }
  const InferTensorContents& typed = request.inputs(0).contents();
  GM_RETURN_IF_ERROR(
      CheckTyped(typed, typed.uint_contents_size(), count, "uint_contents"));
  const auto& values = typed.uint_contents();
  if (!values.empty() && *std::max_element(values.begin(), values.end()) >
                             std::numeric_limits<uint8_t>::max()) {
    return BadTensor("a UINT8 element is above 255");
  }
  unpacked->assign(values.begin(), values.end());
  return *unpacked;
}

void AppendBytes(absl::string_view element, std::string* raw) {
  const auto length = static_cast<uint32_t>(element.size());
  for (size_t i = 0; i < kLengthBytes; ++i) {
    raw->push_back(static_cast<char>(length >> (8 * i)));
  }
  absl::StrAppend(raw, element);
}

}  // namespace groupmamba::v2
