// Memory that two processes map. Private to server/isolation.

#ifndef GROUPMAMBA_SERVER_ISOLATION_SHARED_MEMORY_H_
#define GROUPMAMBA_SERVER_ISOLATION_SHARED_MEMORY_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

// Movable; unmaps and closes at its end. Pages that were never written take no
// room.
class SharedMemory {
 public:
  // Sealed: nobody can change its size, so that reading it never faults.
  // Errors: the system's.
  static absl::StatusOr<SharedMemory> Create(int64_t bytes);

  // Maps what a descriptor that was inherited stands for, and owns that.
  static absl::StatusOr<SharedMemory> Map(int descriptor, int64_t bytes);

  SharedMemory(SharedMemory&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        bytes_(std::exchange(other.bytes_, {})) {}
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  int descriptor() const { return descriptor_; }
  absl::Span<uint8_t> bytes() const { return bytes_; }

  // Gives the first `count` bytes' pages back; they read as zeros.
  void Discard(int64_t count);

  // Closes the descriptor; the memory stays.
  void CloseDescriptor();

 private:
  SharedMemory(int descriptor, absl::Span<uint8_t> bytes)
      : descriptor_(descriptor), bytes_(bytes) {}

  int descriptor_;
  absl::Span<uint8_t> bytes_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_SHARED_MEMORY_H_
