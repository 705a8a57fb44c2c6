#include "model/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace groupmamba {
namespace {

absl::Status SystemError(absl::string_view action, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(action, " ", path));
}

// read(2) until `bytes` is full or the file ends; returns how much was read.
absl::StatusOr<size_t> ReadFully(int fd, absl::Span<uint8_t> bytes,
                                 const std::string& path) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

// The rename itself is durable only once the folder is.
absl::Status SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open", folder);
  absl::Cleanup closer = [fd] { close(fd); };
  if (fsync(fd) != 0) return SystemError("cannot sync", folder);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadRegularFile(const std::string& path,
                                                     int64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
  const int fd =
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return SystemError("cannot open", path);
  absl::Cleanup closer = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError("cannot inspect", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  if (info.st_size > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", info.st_size,
                                                   " bytes; at most ",
                                                   max_bytes, " are read"));
  }
  // One byte more than the file has, to notice when it grows.
  std::vector<uint8_t> bytes(static_cast<size_t>(info.st_size) + 1);
  GM_ASSIGN_OR_RETURN(const size_t done,
                      ReadFully(fd, absl::MakeSpan(bytes), path));
  if (done != static_cast<size_t>(info.st_size)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " changed while it was read"));
  }
  bytes.resize(done);
  return bytes;
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  std::string temporary = absl::StrCat(path, ".tmp.XXXXXX");
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return SystemError("cannot create a file beside", path);
  AtomicFile file(path, std::move(temporary), fd);
  if (fchmod(fd, 0644) != 0) return SystemError("cannot set the mode of", path);
  return file;
}

AtomicFile::AtomicFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

absl::Status AtomicFile::Append(absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot write", path_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Append(absl::string_view text) {
  return Append(absl::MakeConstSpan(
      reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

absl::Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return SystemError("cannot sync", path_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return SystemError("cannot replace", path_);
  }
  close(std::exchange(fd_, -1));
  return SyncFolderOf(path_);
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view text) {
  GM_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  GM_RETURN_IF_ERROR(file.Append(text));
  return file.Commit();
}

}  // namespace groupmamba
