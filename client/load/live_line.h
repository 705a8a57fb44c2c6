// The line that says how a run goes, on a terminal.

#ifndef GROUPMAMBA_CLIENT_LOAD_LIVE_LINE_H_
#define GROUPMAMBA_CLIENT_LOAD_LIVE_LINE_H_

#include <string>

#include "client/load/runner.h"

namespace groupmamba::client {

// One line of at most 79 columns, without its end: the time left, the rate,
// what is in flight, the last second's p50 and p99, and what failed so far.
std::string LiveLine(const LoadSnapshot& snapshot, Duration duration);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_LIVE_LINE_H_
