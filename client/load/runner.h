// The loops that put load on a server. Knows no gRPC: calls go through
// LoadTarget, time through Clock, so that tests simulate both.

#ifndef GROUPMAMBA_CLIENT_LOAD_RUNNER_H_
#define GROUPMAMBA_CLIENT_LOAD_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "client/load/arrivals.h"
#include "client/load/result.h"
#include "client/load/target.h"

namespace groupmamba::client {

struct LoadPlan {
  // Open: calls are sent when they are due, whether or not earlier ones were
  // answered. Closed: so many callers, each sends again once it has its answer.
  bool open = false;

  // Closed loop: callers, at least 1.
  int concurrency = 1;

  // Open loop: calls a second, above 0, and how they are spaced. With a
  // `ramp_to` above 0 the rate stays so for the warm-up, and then goes in a
  // straight line to `ramp_to` at the end.
  double rate = 0;
  double ramp_to = 0;
  ArrivalKind arrivals = ArrivalKind::kPoisson;
  uint64_t seed = 1;

  // Open loop: with kTrace, the times at which calls are due.
  std::shared_ptr<const Trace> trace;

  // Open loop: calls that may be unanswered; one that is due beyond that is not
  // sent, and counted as dropped.
  int max_in_flight = 1000;

  // Calls due in the warm-up are sent, but not measured. `duration` comes
  // after.
  Duration warmup{};
  Duration duration{};
};

// The times at which a plan's calls are due.
Arrivals ArrivalsOf(const LoadPlan& plan);

// What a run has counted so far.
struct LoadSnapshot {
  Duration elapsed{};  // since the warm-up ended; negative within it
  int in_flight = 0;
  int64_t ok = 0;
  int64_t failed = 0;
  int64_t dropped = 0;
  // Of the last second: OK answers that came, and the latency of OK calls that
  // were due.
  double ok_per_s = 0;
  Histogram latency{Histogram::kCoarse};
};

// One call, sent or dropped.
struct CallRecord {
  int64_t id = 0;   // the target's index; -1: dropped
  TimePoint start;  // of the run
  CallTimes times;  // of a dropped call only `due`
  LoadAnswer answer;
};

// Watches a run; every function may be empty.
struct LoadWatch {
  // When the warm-up is over, and then at the end of every second; on a thread
  // of its own.
  std::function<void()> begun;
  std::function<void(const LoadSnapshot&)> each_second;

  // Every call of the run, its warm-up included; from any thread.
  std::function<void(const CallRecord&)> each_call;
};

// Runs `plan` and returns when its last call has ended.
LoadResult RunLoad(const LoadPlan& plan, LoadTarget* target, Clock* clock,
                   const LoadWatch& watch = {});

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_RUNNER_H_
