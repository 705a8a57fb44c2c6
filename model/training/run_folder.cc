#include "model/training/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupmamba::training {
namespace {

absl::Status Unusable(const std::string& path, absl::string_view what,
                      const std::error_code& error) {
  return absl::UnavailableError(
      absl::StrCat(path, ": cannot be ", what, ": ", error.message()));
}

// What AtomicFile writes beside a file until it is whole.
absl::Status RemoveTemporaries(const std::string& path) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (absl::StrContains(name, ".tmp.") || absl::EndsWith(name, ".new")) {
      std::error_code ignored;  // one that stays only takes room
      std::filesystem::remove(entry->path(), ignored);
    }
  }
  return error ? Unusable(path, "listed", error) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Open(
    const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Unusable(path, "created", error);
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return Unusable(path, "opened",
                    std::error_code(errno, std::generic_category()));
  }
  std::unique_ptr<RunFolder> folder(new RunFolder(fd));
  // File systems without locks do without.
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": another process trains into it; give this one another --out"));
  }
  const absl::Status removed = RemoveTemporaries(path);
  if (!removed.ok()) return removed;
  return folder;
}

RunFolder::~RunFolder() { close(fd_); }

absl::Status AppendWhole(const std::string& path, absl::string_view bytes) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  absl::Cleanup closer = [fd] { close(fd); };
  const off_t before = lseek(fd, 0, SEEK_END);
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const absl::Status status =
          absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
      // A part of a line would spoil the next one.
      if (before >= 0 && ftruncate(fd, before) != 0) return status;
      return status;
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::training
