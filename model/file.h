// Whole files: read with a cap, replaced atomically. Torch-free.

#ifndef GROUPMAMBA_MODEL_FILE_H_
#define GROUPMAMBA_MODEL_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace groupmamba {

// Reads a whole file. Symbolic links are followed (Kubernetes mounts volumes
// through them), but what they lead to must be a regular file: a FIFO or a
// device would block or never end. Errors: NOT_FOUND and whatever else opening
// says; INVALID_ARGUMENT not a regular file, larger than `max_bytes`, or
// changed while it was read.
absl::StatusOr<std::vector<uint8_t>> ReadRegularFile(const std::string& path,
                                                     int64_t max_bytes);

// `status` with the file's path before its message.
absl::Status InFile(const std::string& path, const absl::Status& status);

// A file that appears under its name whole or not at all: it is written beside
// `path`, synced, then renamed over it. What was there before stays until then.
// Readable by everyone (mode 0644), as models are.
//
// Thread-safety: one thread at a time; two writers of one path do not disturb
// each other, the later Commit wins.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  // Without a Commit before it, removes what was written.
  ~AtomicFile();

  absl::Status Append(absl::Span<const uint8_t> bytes);
  absl::Status Append(absl::string_view text);

  // Once, last.
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int fd);

  std::string path_;
  std::string temporary_;
  int fd_;  // -1: committed or moved from
};

// Create, Append, Commit.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view text);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_FILE_H_
