// The IDX format of MNIST and its relatives: a magic number, big-endian sizes,
// then the values. Plain or compressed by gzip.

#ifndef GROUPMAMBA_MODEL_TRAINING_IDX_H_
#define GROUPMAMBA_MODEL_TRAINING_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace groupmamba::training {

struct IdxArray {
  std::vector<int64_t> shape;   // 1 to 4 dimensions, each at least 1
  std::vector<uint8_t> values;  // row-major; as many as the shape says
};

// Reads a file of unsigned bytes (type 0x08). The header is not believed:
// memory grows only with bytes that are really there, and never past
// `max_bytes` of values. Errors: NOT_FOUND; INVALID_ARGUMENT with the file's
// path and what is wrong with it (another type, a size of zero or over the
// limit, truncated, corrupt, bytes after the end).
absl::StatusOr<IdxArray> ReadIdx(const std::string& path,
                                 int64_t max_bytes = int64_t{256} << 20);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_IDX_H_
