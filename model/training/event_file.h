// Files that TensorBoard reads: scalars by step.

#ifndef GROUPMAMBA_MODEL_TRAINING_EVENT_FILE_H_
#define GROUPMAMBA_MODEL_TRAINING_EVENT_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupmamba::training {

struct Scalar {
  std::string tag;  // "step/loss"; TensorBoard groups by what is before the /
  double value = 0;
};

// Thread-safety: one thread.
class EventFile {
 public:
  // A new file in `folder`, which is made if need be. Of files that are there
  // already TensorBoard then forgets the steps after `steps`.
  static absl::StatusOr<std::unique_ptr<EventFile>> Create(
      const std::string& folder, int64_t steps);

  // The scalars of a step, on the disk when it returns.
  absl::Status Write(int64_t step, const std::vector<Scalar>& scalars);

 private:
  explicit EventFile(std::string path);

  const std::string path_;
};

// A record as TFRecord frames it: the length in 8 bytes, the masked CRC-32C of
// these, the bytes, and their masked CRC-32C; little-endian.
std::string FrameRecord(absl::string_view bytes);

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720.
uint32_t Crc32c(absl::string_view bytes);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_EVENT_FILE_H_
