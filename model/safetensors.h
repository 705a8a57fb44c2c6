// Reading and writing safetensors files. Everything that a file claims is
// checked before it is believed: sizes against the file, offsets against each
// other, shapes against overflow. Torch-free. Nothing in a file is ever
// executed.
//
// Format (the safetensors project's README): 8 bytes little-endian header
// length, a JSON header {name: {dtype, shape, data_offsets: [begin, end]},
// "__metadata__": {string: string}}, then the tensors' bytes. Offsets count
// from the end of the header; the tensors fill what follows it without holes or
// overlaps. We refuse tensors without elements, which the format allows: no
// model has one, and they can hide behind another's bytes.

#ifndef GROUPMAMBA_MODEL_SAFETENSORS_H_
#define GROUPMAMBA_MODEL_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

enum class DType { kF32, kF64, kF16, kBF16, kI64, kI32, kI8, kU8, kBool };

// Bytes of one element.
int64_t DTypeSize(DType dtype);

// "F32", "I64", ...: as in the file.
const char* DTypeName(DType dtype);

struct TensorBytes {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;       // empty: a scalar
  absl::Span<const uint8_t> bytes;  // row-major, little-endian; aligned to 8
                                    // bytes or not, as the file has it
};

// A view of floats that the caller keeps alive.
TensorBytes ViewOf(absl::Span<const float> values, std::vector<int64_t> shape);

// Whether every element is a number: no NaN and no infinity. True for integers.
bool AllFinite(const TensorBytes& tensor);

// What a file may claim before it is refused.
struct SafetensorsLimits {
  int64_t max_file_bytes = int64_t{4} << 30;
  int64_t max_header_bytes = int64_t{16} << 20;
  int64_t max_tensors = 20'000;
  int max_dimensions = 8;
};

// A file read whole into memory (never mapped: a file truncated while mapped
// kills the process). Owns the bytes that its tensors point to; movable.
class SafetensorsFile {
 public:
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  // Reads and checks. Errors: NOT_FOUND, INVALID_ARGUMENT with the tensor's
  // name and what is wrong. Only regular files are read.
  static absl::StatusOr<SafetensorsFile> Read(
      const std::string& path, const SafetensorsLimits& limits = {});

  // The same from bytes; what fuzzers call.
  static absl::StatusOr<SafetensorsFile> Parse(
      std::vector<uint8_t> bytes, const SafetensorsLimits& limits = {});

  const std::map<std::string, TensorBytes>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }

  // SHA-256 of the whole file, 64 lower-case hexadecimal digits.
  std::string Sha256() const;

 private:
  SafetensorsFile() = default;

  std::vector<uint8_t> bytes_;
  std::map<std::string, TensorBytes> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Writes atomically (model/file.h): on an error the old file, if any, is intact
// and nothing is left beside it. Tensors are laid out so that each is aligned
// to its element. Returns the file's SHA-256. Errors: INVALID_ARGUMENT, a
// tensor whose bytes do not fit its shape, named; the system's, writing.
absl::StatusOr<std::string> WriteSafetensors(
    const std::string& path, const std::map<std::string, TensorBytes>& tensors,
    const std::map<std::string, std::string>& metadata);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SAFETENSORS_H_
