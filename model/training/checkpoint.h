// A training run on disk: everything needed to go on as if it had never
// stopped.

#ifndef GROUPMAMBA_MODEL_TRAINING_CHECKPOINT_H_
#define GROUPMAMBA_MODEL_TRAINING_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace groupmamba::training {

// What a run knows beside its tensors. Random numbers are functions of the step
// (random.h), so that no generator has a state to keep.
struct RunProgress {
  int64_t steps = 0;         // done
  double loss_sum = 0;       // of the steps of the epoch under way
  double smoothed_loss = 0;  // see RunLog
  double seconds = 0;        // of all sittings together
};

// A folder holds the newest checkpoint and the one before it.
inline constexpr char kCheckpointFile[] = "checkpoint.safetensors";
inline constexpr char kPreviousCheckpointFile[] =
    "checkpoint.previous.safetensors";

// Writes the folder's newest checkpoint; what was the newest becomes the one
// before it. A stop at any moment, or a full disk, leaves at least one that is
// whole: the old ones are touched only when the new one is on the disk.
// `settings` (ResultSettingsJson) says what run it belongs to.
absl::Status WriteCheckpoint(const std::string& folder,
                             const std::string& settings,
                             const RunProgress& progress,
                             const std::map<std::string, at::Tensor>& state);

// Copies the newest checkpoint's tensors into `state`, or, where that one is
// damaged or gone, those of the one before it: `warning` then says so. Errors:
// NOT_FOUND, there is none; FAILED_PRECONDITION, it belongs to a run with other
// settings; INVALID_ARGUMENT, what there is is damaged, or its tensors are not
// those of `state`. Nothing is copied then.
absl::StatusOr<RunProgress> ReadCheckpoint(
    const std::string& folder, const std::string& settings,
    const std::map<std::string, at::Tensor>& state, std::string* warning);

void RemoveCheckpoints(const std::string& folder);

// As WriteSafetensors takes and SafetensorsFile gives them; fp32 only, from any
// device.
absl::StatusOr<std::string> WriteTensors(
    const std::string& path, const std::map<std::string, at::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_CHECKPOINT_H_
