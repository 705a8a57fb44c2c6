// Where a request stands among those that wait.

#ifndef GROUPMAMBA_SERVER_BATCHING_QUEUE_KEY_H_
#define GROUPMAMBA_SERVER_BATCHING_QUEUE_KEY_H_

#include <compare>
#include <cstdint>

#include "base/clock.h"

namespace groupmamba {

// In the order in which they go.
enum class Priority { kHigh, kNormal, kLow };
inline constexpr int kPriorityCount = 3;

// By priority, then by deadline, then by arrival. No two requests have the
// same.
struct QueueKey {
  Priority priority = Priority::kNormal;
  TimePoint deadline = kForever;
  uint64_t sequence = 0;

  auto operator<=>(const QueueKey&) const = default;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_QUEUE_KEY_H_
