// What became better or worse since an earlier run. Pure functions of two
// reports' JSON.

#ifndef GROUPMAMBA_CLIENT_LOAD_BASELINE_H_
#define GROUPMAMBA_CLIENT_LOAD_BASELINE_H_

#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "client/json.h"

namespace groupmamba::client {

// Reads the JSON of an earlier `load`. INVALID_ARGUMENT, with a sentence for
// the user, where it is none that can be compared with.
absl::StatusOr<Json> ReadBaseline(std::istream* in);

// {"started", "note", "figures": [{"name", "before", "now", "verdict"}]}: what
// both have, of the latencies, throughput, errors, and the rate of a search. A
// verdict is "better" or "worse" only where the 95 % ranges of both figures do
// not overlap, and otherwise "same"; `note` says where the loads differ, so
// that no comparison is fair.
Json Compare(const Json& before, const Json& now);

std::string ComparisonText(const Json& comparison);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_BASELINE_H_
