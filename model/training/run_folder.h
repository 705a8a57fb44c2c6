// The folder that a training run writes to: one process's at a time, and
// without what an earlier one left half-written.

#ifndef GROUPMAMBA_MODEL_TRAINING_RUN_FOLDER_H_
#define GROUPMAMBA_MODEL_TRAINING_RUN_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupmamba::training {

// Holds the folder until it is destroyed or its process ends, however it ends.
// Thread-safety: one thread.
class RunFolder {
 public:
  // Makes the folder if need be, and removes the temporary files of writes that
  // were killed. FAILED_PRECONDITION: another process trains into it;
  // otherwise what the system says.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Open(
      const std::string& path);

  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

 private:
  explicit RunFolder(int fd) : fd_(fd) {}

  const int fd_;  // of the folder, locked
};

// Appends to a file, which is made if need be, all or, on an error, nothing.
absl::Status AppendWhole(const std::string& path, absl::string_view bytes);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RUN_FOLDER_H_
