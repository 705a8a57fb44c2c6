#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/sha256.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Json = nlohmann::json;
using Entry = std::pair<const std::string, TensorBytes>;

static_assert(std::endian::native == std::endian::little,
              "tensors are used as the file has them");

constexpr int64_t kLengthBytes = 8;
constexpr char kMetadataKey[] = "__metadata__";

struct DTypeInfo {
  DType dtype;
  const char* name;
  int64_t size;
};
constexpr DTypeInfo kDTypes[] = {
    {DType::kF32, "F32", 4},  {DType::kF64, "F64", 8},
    {DType::kF16, "F16", 2},  {DType::kBF16, "BF16", 2},
    {DType::kI64, "I64", 8},  {DType::kI32, "I32", 4},
    {DType::kI8, "I8", 1},    {DType::kU8, "U8", 1},
    {DType::kBool, "BOOL", 1}};

const DTypeInfo& InfoOf(DType dtype) {
  return *std::find_if(std::begin(kDTypes), std::end(kDTypes),
                       [&](const auto& info) { return info.dtype == dtype; });
}

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status InTensor(const std::string& name, const absl::Status& status) {
  return absl::Status(
      status.code(),
      absl::StrCat("tensor ", QuoteForMessage(name), ": ", status.message()));
}

// A JSON integer from 0 to 2^63 - 1; fractions and exponents are none.
std::optional<int64_t> AsCount(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const uint64_t number = value.get<uint64_t>();
  if (number > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return std::nullopt;
  }
  return static_cast<int64_t>(number);
}

absl::StatusOr<int64_t> BytesOfShape(DType dtype,
                                     absl::Span<const int64_t> shape) {
  int64_t bytes = DTypeSize(dtype);
  for (const int64_t dimension : shape) {
    if (dimension < 1) return Invalid("has no elements");
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      return Invalid("has more than 2^63 bytes by its shape");
    }
  }
  return bytes;
}

absl::StatusOr<DType> ParseDType(const Json& value) {
  for (const DTypeInfo& info : kDTypes) {
    if (value == info.name) return info.dtype;
  }
  return Invalid("has an unknown dtype");
}

absl::StatusOr<std::vector<int64_t>> ParseShape(const Json& value,
                                                int max_dimensions) {
  if (!value.is_array()) return Invalid("has a shape that is not a list");
  if (value.size() > static_cast<size_t>(max_dimensions)) {
    return Invalid("has more than ", max_dimensions, " dimensions");
  }
  std::vector<int64_t> shape;
  for (const Json& dimension : value) {
    const std::optional<int64_t> count = AsCount(dimension);
    if (!count) return Invalid("has a dimension that is not a whole number");
    shape.push_back(*count);
  }
  return shape;
}

// The part of `data` that data_offsets claims.
absl::StatusOr<absl::Span<const uint8_t>> ParseOffsets(
    const Json& value, absl::Span<const uint8_t> data) {
  if (!value.is_array() || value.size() != 2 || !AsCount(value[0]) ||
      !AsCount(value[1])) {
    return Invalid("has data_offsets that are not two whole numbers");
  }
  const int64_t begin = *AsCount(value[0]);
  const int64_t end = *AsCount(value[1]);
  if (begin > end) return Invalid("ends before it begins");
  if (end > static_cast<int64_t>(data.size())) {
    return Invalid("reaches to byte ", end, " of ", data.size());
  }
  return data.subspan(begin, end - begin);
}

absl::StatusOr<TensorBytes> ParseTensor(const Json& entry,
                                        absl::Span<const uint8_t> data,
                                        int max_dimensions) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return Invalid("must have dtype, shape, data_offsets and nothing else");
  }
  TensorBytes tensor;
  GM_ASSIGN_OR_RETURN(tensor.dtype, ParseDType(entry["dtype"]));
  GM_ASSIGN_OR_RETURN(tensor.shape, ParseShape(entry["shape"], max_dimensions));
  GM_ASSIGN_OR_RETURN(const int64_t size,
                      BytesOfShape(tensor.dtype, tensor.shape));
  GM_ASSIGN_OR_RETURN(tensor.bytes, ParseOffsets(entry["data_offsets"], data));
  if (static_cast<int64_t>(tensor.bytes.size()) != size) {
    return Invalid("has ", tensor.bytes.size(), " bytes; its shape needs ",
                   size);
  }
  return tensor;
}

absl::StatusOr<std::map<std::string, std::string>> ParseMetadata(
    const Json& entry) {
  if (!entry.is_object()) return Invalid(kMetadataKey, " is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) {
      return Invalid(kMetadataKey, " key ", QuoteForMessage(key),
                     " is not a string");
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// Every byte of `data` belongs to exactly one tensor.
absl::Status CheckLayout(const std::map<std::string, TensorBytes>& tensors,
                         absl::Span<const uint8_t> data) {
  std::vector<const Entry*> by_place;
  by_place.reserve(tensors.size());
  for (const Entry& entry : tensors) by_place.push_back(&entry);
  std::sort(by_place.begin(), by_place.end(),
            [](const Entry* a, const Entry* b) {
              return a->second.bytes.data() < b->second.bytes.data();
            });
  const uint8_t* covered = data.data();
  for (const Entry* entry : by_place) {
    const absl::Span<const uint8_t> bytes = entry->second.bytes;
    if (bytes.data() < covered) {
      return InTensor(entry->first, Invalid("overlaps another"));
    }
    if (bytes.data() > covered) {
      return InTensor(entry->first, Invalid("has unused bytes before it"));
    }
    covered += bytes.size();
  }
  if (covered != data.data() + data.size()) {
    return Invalid("unused bytes after the last tensor");
  }
  return absl::OkStatus();
}

// The header's text; `bytes` is the whole file.
absl::StatusOr<absl::string_view> FindHeader(absl::Span<const uint8_t> bytes,
                                             const SafetensorsLimits& limits) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > limits.max_file_bytes) {
    return Invalid("more than ", limits.max_file_bytes, " bytes");
  }
  if (size < kLengthBytes) return Invalid("too short for a header");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > static_cast<uint64_t>(limits.max_header_bytes)) {
    return Invalid("not safetensors, or a header of more than ",
                   limits.max_header_bytes, " bytes");
  }
  if (length > static_cast<uint64_t>(size - kLengthBytes)) {
    return Invalid("the header is longer than the file");
  }
  const absl::string_view header(
      reinterpret_cast<const char*>(bytes.data() + kLengthBytes), length);
  if (header.empty() || header[0] != '{') {
    return Invalid("the header does not begin with {");
  }
  return header;
}

JsonLimits HeaderLimits(const SafetensorsLimits& limits) {
  // An entry: its object, dtype, shape with its dimensions, offsets with
  // theirs.
  const int64_t values_per_tensor = 6 + limits.max_dimensions;
  return {.max_bytes = limits.max_header_bytes,
          .max_depth = 3,
          .max_values = (limits.max_tensors + 2) * values_per_tensor};
}

// `mask`: the exponent's bits; all of them are set in infinities and NaNs
// alone.
template <typename Word>
bool NoneHasAllOf(absl::Span<const uint8_t> bytes, Word mask) {
  bool found = false;
  for (size_t i = 0; i + sizeof(Word) <= bytes.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + i, sizeof(Word));
    found |= (word & mask) == mask;
  }
  return !found;
}

// What the reader would refuse is not written.
absl::Status CheckWritable(const std::map<std::string, TensorBytes>& tensors,
                           const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, tensor] : tensors) {
    const absl::StatusOr<int64_t> size =
        BytesOfShape(tensor.dtype, tensor.shape);
    if (!size.ok()) return InTensor(name, size.status());
    if (static_cast<int64_t>(tensor.bytes.size()) != *size) {
      return InTensor(name, Invalid("has ", tensor.bytes.size(),
                                    " bytes; its shape needs ", *size));
    }
    if (name == kMetadataKey || !IsUtf8(name)) {
      return InTensor(name, Invalid("has a name that the format forbids"));
    }
  }
  for (const auto& [key, value] : metadata) {
    if (!IsUtf8(key) || !IsUtf8(value)) {
      return Invalid("metadata that is not UTF-8");
    }
  }
  return absl::OkStatus();
}

// Larger elements first: then every tensor is aligned to its element.
std::vector<const Entry*> InFileOrder(
    const std::map<std::string, TensorBytes>& tensors) {
  std::vector<const Entry*> entries;
  entries.reserve(tensors.size());
  for (const Entry& entry : tensors) entries.push_back(&entry);
  std::stable_sort(
      entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
        return DTypeSize(a->second.dtype) > DTypeSize(b->second.dtype);
      });
  return entries;
}

std::string FormatHeader(const std::vector<const Entry*>& entries,
                         const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  int64_t offset = 0;
  for (const auto* entry : entries) {
    const TensorBytes& tensor = entry->second;
    const int64_t end = offset + static_cast<int64_t>(tensor.bytes.size());
    header[entry->first] = {{"dtype", DTypeName(tensor.dtype)},
                            {"shape", tensor.shape},
                            {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes,
              ' ');
  return text;
}

}  // namespace

int64_t DTypeSize(DType dtype) { return InfoOf(dtype).size; }

const char* DTypeName(DType dtype) { return InfoOf(dtype).name; }

TensorBytes ViewOf(absl::Span<const float> values, std::vector<int64_t> shape) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  return {DType::kF32, std::move(shape),
          absl::MakeConstSpan(bytes, values.size() * sizeof(float))};
}

bool AllFinite(const TensorBytes& tensor) {
  switch (tensor.dtype) {
    case DType::kF64:
      return NoneHasAllOf<uint64_t>(tensor.bytes, 0x7FF0'0000'0000'0000);
    case DType::kF32:
      return NoneHasAllOf<uint32_t>(tensor.bytes, 0x7F80'0000);
    case DType::kF16:
      return NoneHasAllOf<uint16_t>(tensor.bytes, 0x7C00);
    case DType::kBF16:
      return NoneHasAllOf<uint16_t>(tensor.bytes, 0x7F80);
    default:
      return true;
  }
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Parse(
    std::vector<uint8_t> bytes, const SafetensorsLimits& limits) {
  GM_ASSIGN_OR_RETURN(const absl::string_view header,
                      FindHeader(bytes, limits));
  GM_ASSIGN_OR_RETURN(const Json document,
                      ParseJsonObject(header, HeaderLimits(limits)));
  if (document.size() - document.count(kMetadataKey) >
      static_cast<size_t>(limits.max_tensors)) {
    return Invalid("more than ", limits.max_tensors, " tensors");
  }
  SafetensorsFile file;
  file.bytes_ = std::move(bytes);  // where the bytes lie does not change
  const absl::Span<const uint8_t> data =
      absl::MakeConstSpan(file.bytes_).subspan(kLengthBytes + header.size());
  for (const auto& [name, entry] : document.items()) {
    if (name == kMetadataKey) {
      GM_ASSIGN_OR_RETURN(file.metadata_, ParseMetadata(entry));
      continue;
    }
    absl::StatusOr<TensorBytes> tensor =
        ParseTensor(entry, data, limits.max_dimensions);
    if (!tensor.ok()) return InTensor(name, tensor.status());
    file.tensors_.emplace(name, *std::move(tensor));
  }
  GM_RETURN_IF_ERROR(CheckLayout(file.tensors_, data));
  return file;
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Read(
    const std::string& path, const SafetensorsLimits& limits) {
  GM_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                      ReadRegularFile(path, limits.max_file_bytes));
  absl::StatusOr<SafetensorsFile> file = Parse(std::move(bytes), limits);
  if (!file.ok()) return InFile(path, file.status());
  return file;
}

std::string SafetensorsFile::Sha256() const { return Sha256Hex(bytes_); }

absl::StatusOr<std::string> WriteSafetensors(
    const std::string& path, const std::map<std::string, TensorBytes>& tensors,
    const std::map<std::string, std::string>& metadata) {
  GM_RETURN_IF_ERROR(CheckWritable(tensors, metadata));
  const std::vector<const Entry*> entries = InFileOrder(tensors);
  const std::string header = FormatHeader(entries, metadata);
  const uint64_t length = header.size();
  uint8_t length_bytes[kLengthBytes];
  std::memcpy(length_bytes, &length, kLengthBytes);

  GM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  Sha256 sha256;
  const auto append = [&](absl::Span<const uint8_t> bytes) {
    sha256.Update(bytes);
    return file.Append(bytes);
  };
  GM_RETURN_IF_ERROR(append(length_bytes));
  GM_RETURN_IF_ERROR(append(absl::MakeConstSpan(
      reinterpret_cast<const uint8_t*>(header.data()), header.size())));
  for (const Entry* entry : entries) {
    GM_RETURN_IF_ERROR(append(entry->second.bytes));
  }
  GM_RETURN_IF_ERROR(file.Commit());
  return sha256.HexDigest();
}

}  // namespace groupmamba
