// A service-level objective, such as p99=50ms,errors=0.1%, and whether a run
// met it. Pure functions.

#ifndef GROUPMAMBA_CLIENT_LOAD_OBJECTIVE_H_
#define GROUPMAMBA_CLIENT_LOAD_OBJECTIVE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "client/load/result.h"

namespace groupmamba::client {

// The latency that a fraction of the OK answers may not exceed.
struct LatencyGoal {
  double quantile = 0;  // 0 to 1, both excluded
  Duration limit{};
};

struct Objective {
  std::vector<LatencyGoal> latencies;  // at least one
  double max_errors = 0.001;           // failed and dropped, of those planned

  // Within this an OK answer counts for the goodput: the loosest limit.
  Duration Limit() const;
};

// Reads "pQ=TIME[,pQ=TIME...][,errors=N%]": Q in percent, TIME as 50ms, 1.5s or
// 800us. INVALID_ARGUMENT, with a sentence for the user, where it is not that.
absl::StatusOr<Objective> ParseObjective(absl::string_view text);

// As ParseObjective reads it.
std::string ToString(const Objective& objective);

// How one part of an objective stands.
struct GoalOutcome {
  std::string name;  // "p99" or "errors"
  double limit = 0;  // milliseconds; of errors, a fraction
  double value = 0;  // the same; of a latency, 0 where nothing was answered
  bool met = false;
};

// In the order of the objective; the errors last.
std::vector<GoalOutcome> Judge(const Objective& objective,
                               const LoadResult& result);

// Whether every part is met by those calls, of which at least one was answered.
bool Meets(const Objective& objective, const Histogram& latency, int64_t lost,
           int64_t planned);
bool Meets(const Objective& objective, const LoadResult& result);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_OBJECTIVE_H_
