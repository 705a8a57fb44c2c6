#include "client/plan/replicas.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace groupmamba::client {
namespace {

constexpr int kMostReplicas = 100'000;

}  // namespace

absl::StatusOr<Objective> ParseObjective(absl::string_view text) {
  double ms = 0;
  if (!absl::ConsumePrefix(&text, "p99=") ||
      !absl::ConsumeSuffix(&text, "ms") || !absl::SimpleAtod(text, &ms) ||
      !(ms > 0 && ms <= 3.6e6)) {
    return absl::InvalidArgumentError(
        "--slo takes p99= and a time in ms, such as p99=50ms");
  }
  return Objective{.p99 = std::chrono::duration_cast<Duration>(
                       std::chrono::duration<double, std::milli>(ms))};
}

bool Holds(const Objective& objective, const SimulatedResult& result) {
  return result.answered >= objective.answered && result.p99 <= objective.p99;
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
  for (int count = 1; enough.count == 0; count *= 2) {
    const SimulatedResult each = SimulateReplicas(profile, load, count);
    if (Holds(objective, each)) {
      enough = {.count = count, .each = each};
    } else if (count > kMostReplicas / 2) {
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
