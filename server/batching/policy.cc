#include "server/batching/policy.h"

namespace groupmamba {

const char* DispatchReasonName(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kFull:
      return "full";
    case DispatchReason::kWait:
      return "wait";
    case DispatchReason::kDrain:
      return "drain";
  }
  return "";
}

Decision Decide(TimePoint now, const QueueView& queue,
                const BatchPolicy& policy) {
  if (!queue.instance_free || queue.waiting == 0) return {};
  if (queue.waiting >= policy.max_batch) {
    return {.dispatch = policy.max_batch, .reason = DispatchReason::kFull};
  }
  if (queue.draining) {
    return {.dispatch = queue.waiting, .reason = DispatchReason::kDrain};
  }
  const TimePoint patience_ends = queue.oldest + policy.max_delay;
  if (queue.expected == 0 || now >= patience_ends) {
    return {.dispatch = queue.waiting, .reason = DispatchReason::kWait};
  }
  return {.wait_until = patience_ends};
}

}  // namespace groupmamba
