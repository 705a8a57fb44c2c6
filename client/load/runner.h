// The loops that put load on a server, and what they measure. Knows no gRPC:
// calls go through LoadTarget, time through Clock, so that tests simulate both.

#ifndef GROUPMAMBA_CLIENT_LOAD_RUNNER_H_
#define GROUPMAMBA_CLIENT_LOAD_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>

#include "absl/status/status.h"
#include "base/clock.h"
#include "client/load/arrivals.h"
#include "client/load/histogram.h"

namespace groupmamba::client {

struct LoadPlan {
  // Open: calls are sent when they are due, whether or not earlier ones were
  // answered. Closed: so many callers, each sends again once it has its answer.
  bool open = false;

  // Closed loop: callers, at least 1.
  int concurrency = 1;

  // Open loop: calls a second, above 0, and how they are spaced.
  double rate = 0;
  ArrivalKind arrivals = ArrivalKind::kPoisson;
  uint64_t seed = 1;

  // Open loop: calls that may be unanswered; one that is due beyond that is not
  // sent, and counted as dropped.
  int max_in_flight = 1000;

  // Calls due in the warm-up are sent, but not measured. `duration` comes
  // after.
  Duration warmup{};
  Duration duration{};
};

// How one call ended.
struct LoadAnswer {
  absl::StatusCode code = absl::StatusCode::kOk;

  // By the server's receipt; 0 where the call failed.
  int batch_size = 0;
  Duration server_queue{};
  Duration server_inference{};
};

// What is loaded. Start() comes from one thread.
class LoadTarget {
 public:
  virtual ~LoadTarget() = default;

  // Starts call `index` (from 0). `done` is called once, from any thread, also
  // before Start() returns; every call ends, be it by its deadline.
  virtual void Start(int64_t index,
                     std::function<void(const LoadAnswer&)> done) = 0;
};

// What was measured: calls that were due after the warm-up, but for
// `ok_in_window`.
struct LoadResult {
  int64_t planned = 0;  // sent and dropped
  int64_t dropped = 0;
  int64_t failed = 0;
  std::map<absl::StatusCode, int64_t> codes;  // of what was sent

  // Calls answered OK between the end of the warm-up and the end of the run,
  // whenever they were sent.
  int64_t ok_in_window = 0;

  // From when the call was due (closed loop: sent) to its OK.
  Histogram latency;
  // From when the call was sent to its OK.
  Histogram service;
  // From when the call was due (closed loop: sent) to its failure.
  Histogram failed_latency;
  // How long after it was due a call was sent. Open loop only.
  Histogram send_lag;
  int64_t late = 0;  // calls sent more than kLate after they were due

  static constexpr Duration kLate = std::chrono::milliseconds(1);

  // Sums over the OK answers.
  int64_t batch_sizes = 0;
  Duration server_queue{};
  Duration server_inference{};
};

// Runs `plan` and returns when its last call has ended.
LoadResult RunLoad(const LoadPlan& plan, LoadTarget* target, Clock* clock);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_RUNNER_H_
