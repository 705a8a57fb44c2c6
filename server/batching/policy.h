// When does a free instance start a batch, and how large is it? A pure
// function, so that every rule is a line in a table of tests, and so that the
// client can replay it. The threads that obey are in server/batching/batcher.h.

#ifndef GROUPMAMBA_SERVER_BATCHING_POLICY_H_
#define GROUPMAMBA_SERVER_BATCHING_POLICY_H_

#include "absl/types/span.h"
#include "base/clock.h"
#include "server/batching/forecast.h"
#include "server/batching/service_times.h"

namespace groupmamba {

struct BatchPolicy {
  // Pictures in a batch at most; at least 1.
  int max_batch = 8;

  // How long a free instance may wait for company, counted from when the oldest
  // picture became ready. 0: never. How long it does wait follows from the
  // load; mostly not at all.
  Duration max_delay = std::chrono::milliseconds(5);

  // What 99 of 100 answers should take at most, from arrival to answer. 0: no
  // target, the mean time of all who wait counts. With a target, a time below
  // it is as good as any other, and larger batches are worth waiting for.
  Duration slo = Duration::zero();
};

// One picture that is ready.
struct ReadyPicture {
  TimePoint deadline = kForever;
  TimePoint arrived;  // its request
  TimePoint ready;
};

// What the policy sees of one model's queue.
struct QueueView {
  // The first in order, up to max_batch of them.
  absl::Span<const ReadyPicture> first = {};

  // How many are ready, those of `first` included.
  int waiting = 0;

  // Since when the instance has had nothing new to consider: it became free, or
  // a picture became ready, whichever was later.
  TimePoint unchanged_since;

  // Mean time until the next picture is ready; see Forecast::Gap.
  Duration gap = Forecast::kNever;

  // Nothing more will be accepted.
  bool draining = false;
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
  // Start a batch of this many; 0: do not.
  int dispatch = 0;
  DispatchReason reason = DispatchReason::kWait;

  // Not 0: the first so many can no longer be answered in time; end them, and
  // ask again.
  int give_up = 0;

  // Otherwise ask again then, or when the queue changes, whichever comes first.
  // kForever: only when it changes.
  TimePoint wait_until = kForever;
};

// Asked when an instance is free. The rules, with T(n) the time of a batch of n
// and w the pictures that are ready; the first that fits decides:
//   1. Nothing is ready: wait for a change.
//   2. The first in order cannot make its deadline even alone, and others
//      wait: give it up. (A lone one is tried: the estimate may be wrong, and
//      only running it can tell.)
//   3. A smaller batch than w gives the same throughput
//      (ServiceTimes::BestSize), or w would be too late for a deadline or for
//      the target of somebody in it: start the smaller one. While more than
//      max_batch wait, it gives half the throughput at least.
//   4. A full batch is ready, or the server drains: start it.
//   5. Waiting for one more pays: wait.
//   6. Start what is ready.
//
// When waiting pays. If one more picture becomes ready after a time G, then
// starting now costs the w pictures T(w) each and the newcomer T(w) - G + T(1);
// waiting costs w times G + T(w+1) and once T(w+1). So waiting is shorter for
// all together when
//     G < T(1) / (w+1) - (T(w+1) - T(w)).
// On a processor, where a batch takes as long as its pictures one by one, the
// right side is never positive; on a GPU it is up to half a batch. With a
// target, any G is good that keeps it, where a larger batch gains throughput.
// Only the mean of G is known: if three times of it have passed in vain, the
// wait ends. A lone request on an idle server has no company to expect and
// leaves at once.
Decision Decide(TimePoint now, const QueueView& queue,
                const BatchPolicy& policy, const ServiceTimes& times);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_POLICY_H_
