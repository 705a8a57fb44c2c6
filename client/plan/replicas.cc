#include "client/plan/replicas.h"

#include <algorithm>

namespace groupmamba::client {

bool Holds(const Objective& objective, const SimulatedResult& result) {
  return Meets(objective, result.latency, result.lost,
               result.lost + result.latency.count());
}

SimulatedResult SimulateReplicas(const Profile& profile, SimulatedLoad load,
                                 int count) {
  load.rate /= count;
  return Simulate(profile, load);
}

Replicas FindReplicas(const Profile& profile, const SimulatedLoad& load,
                      const Objective& objective) {
  int too_few = 0;
  Replicas enough;
  for (int count = 1; enough.count == 0;
       count = std::min(2 * count, kMostReplicas)) {
    const SimulatedResult each = SimulateReplicas(profile, load, count);
    if (Holds(objective, each)) {
      enough = {.count = count, .each = each};
    } else if (count == kMostReplicas) {
      return {.each = each};
    } else {
      too_few = count;
    }
  }
  while (enough.count - too_few > 1) {
    const int count = too_few + (enough.count - too_few) / 2;
    const SimulatedResult each = SimulateReplicas(profile, load, count);
    if (Holds(objective, each)) {
      enough = {.count = count, .each = each};
    } else {
      too_few = count;
    }
  }
  return enough;
}

}  // namespace groupmamba::client
