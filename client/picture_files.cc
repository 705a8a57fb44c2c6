#include "client/picture_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace groupmamba::client {
namespace {

namespace fs = std::filesystem;

// One folder's pictures, or the one error that says why there are none.
void SearchFolder(const std::string& folder, std::vector<PictureFile>* found) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator();
       at.increment(error)) {
    std::error_code ignored;
    if (HasPictureExtension(at->path().native()) &&
        at->is_regular_file(ignored)) {
      paths.push_back(at->path().native());
    }
  }
  std::sort(paths.begin(), paths.end());
  for (std::string& path : paths) {
    found->push_back({std::move(path), absl::OkStatus()});
  }
  if (error) {
    found->push_back({folder, absl::ErrnoToStatus(error.value(),
                                                  "cannot be searched whole")});
  } else if (paths.empty()) {
    found->push_back(
        {folder, absl::NotFoundError("the folder holds no picture file (.jpg "
                                     ".jpeg .png .webp)")});
  }
}

// The last failure of the system; an unknown one where it left no number.
absl::Status SystemError(absl::string_view what) {
  return absl::ErrnoToStatus(errno != 0 ? errno : EIO, what);
}

}  // namespace

bool HasPictureExtension(absl::string_view path) {
  return absl::EndsWithIgnoreCase(path, ".jpg") ||
         absl::EndsWithIgnoreCase(path, ".jpeg") ||
         absl::EndsWithIgnoreCase(path, ".png") ||
         absl::EndsWithIgnoreCase(path, ".webp");
}

std::vector<PictureFile> FindPictures(const std::vector<std::string>& paths) {
  std::vector<PictureFile> found;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path != "-" && fs::is_directory(path, ignored)) {
      SearchFolder(path, &found);
    } else {
      found.push_back({path, absl::OkStatus()});
    }
  }
  return found;
}

absl::StatusOr<std::string> ReadPicture(const std::string& path,
                                        size_t max_bytes,
                                        std::istream* standard_input) {
  std::ifstream file;
  std::istream* stream = standard_input;
  if (path != "-") {
    errno = 0;
    file.open(path, std::ios::binary);
    if (!file) return SystemError("cannot be opened");
    stream = &file;
  }
  std::string bytes;
  while (*stream && bytes.size() <= max_bytes) {
    constexpr size_t kStep = 256 << 10;
    const size_t had = bytes.size();
    bytes.resize(std::min(had + kStep, max_bytes + 1));
    errno = 0;
    stream->read(bytes.data() + had, bytes.size() - had);
    bytes.resize(had + stream->gcount());
  }
  if (stream->bad()) return SystemError("cannot be read");
  if (bytes.size() > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "larger than ", max_bytes, " bytes, the most that is sent"));
  }
  return bytes;
}

}  // namespace groupmamba::client
