// Which pictures the arguments name, and their bytes.

#ifndef GROUPMAMBA_CLIENT_PICTURE_FILES_H_
#define GROUPMAMBA_CLIENT_PICTURE_FILES_H_

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupmamba::client {

struct PictureFile {
  // As it is shown: the argument, or the argument and the way below it; "-" is
  // standard input.
  std::string path;

  // Not OK where `path` was searched and could not be, or held no picture.
  absl::Status status;
};

// Whether a name ends in .jpg, .jpeg, .png or .webp, in any case.
bool HasPictureExtension(absl::string_view path);

// The pictures that `paths` name, in their order. A folder is searched with all
// folders below it (links to folders are not followed) for names that
// HasPictureExtension() takes, sorted; anything else is taken as it is, whether
// it exists or not.
std::vector<PictureFile> FindPictures(const std::vector<std::string>& paths);

// The bytes of a file, or of `standard_input` where `path` is "-". Never reads
// more than `max_bytes` + 1. NOT_FOUND, PERMISSION_DENIED or UNKNOWN where it
// cannot be read; INVALID_ARGUMENT when there are more than `max_bytes`.
absl::StatusOr<std::string> ReadPicture(const std::string& path,
                                        size_t max_bytes,
                                        std::istream* standard_input);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_PICTURE_FILES_H_
