// When does a free instance start a batch, and how large is it? A pure
// function, so that every rule is a line in a table of tests, and so that the
// client can replay it. The threads that obey are in server/batching/batcher.h.

#ifndef GROUPMAMBA_SERVER_BATCHING_POLICY_H_
#define GROUPMAMBA_SERVER_BATCHING_POLICY_H_

#include "base/clock.h"

namespace groupmamba {

struct BatchPolicy {
  // Pictures in a batch at most; at least 1.
  int max_batch = 8;

  // How long a free instance may wait for company, counted from the arrival of
  // the oldest picture in the queue. 0: never.
  Duration max_delay = std::chrono::milliseconds(2);
};

// What the policy sees of one model's queue.
struct QueueView {
  // Pictures that are ready for the model.
  int waiting = 0;

  // When the oldest of them entered the queue. Without meaning when none waits.
  TimePoint oldest = kForever;

  // Pictures that were accepted and are still being decoded: company to come.
  int expected = 0;

  // Nothing more will be accepted.
  bool draining = false;

  // An instance of the model is idle.
  bool instance_free = true;
};

// Why a batch left; the values of a metric's label.
enum class DispatchReason {
  kFull,   // max_batch pictures were there
  kWait,   // waiting longer does not pay
  kDrain,  // the server is shutting down
};

// "full", "wait", "drain".
const char* DispatchReasonName(DispatchReason reason);

struct Decision {
  // Start a batch of this many; 0: wait.
  int dispatch = 0;
  DispatchReason reason = DispatchReason::kWait;

  // Ask again then, or when the queue changes, whichever comes first. kForever:
  // only when it changes.
  TimePoint wait_until = kForever;
};

// The rules, the first that fits decides:
//   1. No instance is free, or nothing waits: wait for a change.
//   2. A full batch waits: start it.
//   3. The server drains: start what there is.
//   4. No company is expected, or the oldest has waited for max_delay: start
//   what
//      there is. So a lone picture on an idle server never waits.
//   5. Otherwise wait for company until the oldest has waited for max_delay.
Decision Decide(TimePoint now, const QueueView& queue,
                const BatchPolicy& policy);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_POLICY_H_
