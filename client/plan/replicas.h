// How many servers a load needs.

#ifndef GROUPMAMBA_CLIENT_PLAN_REPLICAS_H_
#define GROUPMAMBA_CLIENT_PLAN_REPLICAS_H_

#include "client/load/objective.h"
#include "client/plan/profile.h"
#include "client/plan/simulate.h"

namespace groupmamba::client {

// So many are tried.
inline constexpr int kMostReplicas = 100'000;

struct Replicas {
  int count = 0;         // 0: not even kMostReplicas hold the objective
  SimulatedResult each;  // of that many, or of kMostReplicas
};

bool Holds(const Objective& objective, const SimulatedResult& result);

// The least number of servers that hold the objective when `load`, whose rate
// is of all together, is spread evenly over them.
Replicas FindReplicas(const Profile& profile, const SimulatedLoad& load,
                      const Objective& objective);

// With that many.
SimulatedResult SimulateReplicas(const Profile& profile, SimulatedLoad load,
                                 int count);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_PLAN_REPLICAS_H_
