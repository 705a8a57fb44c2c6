#include "server/isolation/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace groupmamba {

absl::StatusOr<SharedMemory> SharedMemory::Create(int64_t bytes) {
  const int descriptor =
      memfd_create("groupmamba-decoder", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, "memfd_create");
  if (ftruncate(descriptor, bytes) != 0 ||
      fcntl(descriptor, F_ADD_SEALS,
            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    const int error = errno;
    close(descriptor);
    return absl::ErrnoToStatus(error, "sizing shared memory");
  }
  return Map(descriptor, bytes);
}

absl::StatusOr<SharedMemory> SharedMemory::Map(int descriptor, int64_t bytes) {
  void* const address = mmap(nullptr, static_cast<size_t>(bytes),
                             PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    close(descriptor);
    return absl::ErrnoToStatus(error, "mapping shared memory");
  }
  return SharedMemory(
      descriptor, {static_cast<uint8_t*>(address), static_cast<size_t>(bytes)});
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
  CloseDescriptor();
}

void SharedMemory::Discard(int64_t count) {
  // Best effort: otherwise the pages stay until they are written again.
  fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, count);
}

void SharedMemory::CloseDescriptor() {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
}

}  // namespace groupmamba
