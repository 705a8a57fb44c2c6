// What a run tells of itself: a line of JSON each for its start, its steps and
// its epochs, and the same numbers as TensorBoard's scalars.

#ifndef GROUPMAMBA_MODEL_TRAINING_RUN_LOG_H_
#define GROUPMAMBA_MODEL_TRAINING_RUN_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/training/event_file.h"
#include "nlohmann/json_fwd.hpp"

namespace groupmamba::training {

// In the run's folder.
inline constexpr char kLogFile[] = "train.log.jsonl";
inline constexpr char kTensorBoardFolder[] = "tensorboard";

// Thread-safety: one thread.
class RunLog {
 public:
  // Goes on with the folder's log from `steps`: lines of later steps, which a
  // stop has left and which come again, are removed, and a line that was cut.
  // Without any steps the log begins anew. `tensorboard` says whether event
  // files are written, too; TensorBoard is told what to forget in the same way.
  static absl::StatusOr<std::unique_ptr<RunLog>> Open(const std::string& folder,
                                                      int64_t steps,
                                                      bool tensorboard);

  // Appends one object with the members "event" and "step". Numbers of a "step"
  // or an "epoch" become scalars "step/loss", "epoch/top1" and so on.
  absl::Status Write(const nlohmann::ordered_json& line);

 private:
  RunLog(std::string path, std::unique_ptr<EventFile> events);

  const std::string path_;
  const std::unique_ptr<EventFile> events_;  // null: none
};

// The objects of a log, in order; a last line that was cut is left out, as a
// run may be writing it. Errors: NOT_FOUND; INVALID_ARGUMENT names the line
// that is none.
absl::StatusOr<std::vector<nlohmann::ordered_json>> ReadRunLog(
    const std::string& path);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_RUN_LOG_H_
