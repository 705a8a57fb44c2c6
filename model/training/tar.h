// What lies where in a tar file (POSIX 1003.1's ustar; GNU tar's own form where
// it is the same). A shard comes from elsewhere: nothing that it says is
// believed before it is checked, and nothing in it is ever written to a disk.

#ifndef GROUPMAMBA_MODEL_TRAINING_TAR_H_
#define GROUPMAMBA_MODEL_TRAINING_TAR_H_

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace groupmamba::training {

struct TarMember {
  std::string name;  // as it is stored: up to 255 bytes, no control characters
  int64_t offset = 0;  // of its bytes in the file
  int64_t size = 0;    // in bytes; they are all in the file
};

struct TarLimits {
  int64_t max_members = 10'000'000;
  int64_t max_member_bytes = int64_t{1} << 30;
};

// The regular files in the tar file, in their order; folders are left out. Of
// the contents nothing is read, but for extended headers: those that say times
// or owners are passed over, those that give a name or a size are refused. So
// are links, devices, sparse files and GNU's long names (--format=ustar avoids
// them all), wrong checksums, a name that is absolute or has `..` in it, sizes
// past the end of the file or the limit, and a file without its end marker.
// Errors: NOT_FOUND; INVALID_ARGUMENT with the file's path and the place.
absl::StatusOr<std::vector<TarMember>> ListTar(const std::string& path,
                                               const TarLimits& limits = {});

// The same of a stream that can be moved in; the message has the place alone.
absl::StatusOr<std::vector<TarMember>> ListTar(std::istream* tar,
                                               const TarLimits& limits);

// The bytes of a member of at most `max_bytes`. INVALID_ARGUMENT: it is larger,
// or the file is not what it was.
absl::StatusOr<std::vector<uint8_t>> ReadMember(const std::string& path,
                                                const TarMember& member,
                                                int64_t max_bytes);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_TAR_H_
