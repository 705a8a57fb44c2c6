// What runs' logs tell, drawn: groupmamba-train --plot.

#ifndef GROUPMAMBA_MODEL_TRAINING_CURVES_H_
#define GROUPMAMBA_MODEL_TRAINING_CURVES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json_fwd.hpp"

namespace groupmamba::training {

// One run's log: its folder's name, and the lines (ReadRunLog).
struct LoggedRun {
  std::string name;
  std::vector<nlohmann::ordered_json> lines;
};

// The logs in these folders. Errors: those of ReadRunLog; INVALID_ARGUMENT, a
// log without a start.
absl::StatusOr<std::vector<LoggedRun>> ReadRuns(
    absl::Span<const std::string> folders);

// What the page draws: "epochs", the x of all curves; "runs", each with its
// name, "curves" by name, null where the run has no value, its settings that
// differ from another run's, and its last figures. Each run needs a line
// "start" or "resume". A curve has at most `points` points; where lines fall
// together, the loss is their mean and the gradient's norm their largest.
nlohmann::ordered_json CurvesJson(absl::Span<const LoggedRun> runs, int points);

// Writes the page of the runs in these folders to `html`, and says so on
// standard error. Errors: those of ReadRuns and of writing.
absl::Status PlotRuns(absl::Span<const std::string> folders,
                      const std::string& html);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_CURVES_H_
