// One server in simulated time: Poisson arrivals, decoding, and the very batch
// policy, forecast and rule of admission that the server runs.

#ifndef GROUPMAMBA_CLIENT_PLAN_SIMULATE_H_
#define GROUPMAMBA_CLIENT_PLAN_SIMULATE_H_

#include <cstdint>

#include "base/clock.h"
#include "client/load/histogram.h"
#include "client/plan/profile.h"

namespace groupmamba::client {

struct SimulatedLoad {
  double rate = 1;  // calls a second, above 0
  Duration deadline = std::chrono::seconds(1);
  int calls = 20'000;
  uint64_t seed = 1;
};

struct SimulatedResult {
  double answered_per_s = 0;
  Histogram latency;      // of what was answered in time
  int64_t lost = 0;       // calls that were not
  double batch_size = 0;  // mean
  double busy = 0;        // fraction of the instances' time
};

// The same for the same arguments; calls come when `load` with the same rate
// and seed sends them. Takes about a microsecond a call.
SimulatedResult Simulate(const Profile& profile, const SimulatedLoad& load);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_PLAN_SIMULATE_H_
