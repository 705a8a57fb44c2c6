#include "server/batching/policy.h"

#include <algorithm>

namespace groupmamba {
namespace {

// A gap of this many times the mean is rare: 5 % of those between independent
// callers.
constexpr int kLongGap = 3;

// What a larger batch must gain in throughput before it counts.
constexpr double kGain = 1.02;

Duration Cautious(const ServiceTimes& times, int size) {
  return std::chrono::duration_cast<Duration>(times.Typical(size) *
                                              times.caution());
}

// When the first `size` of the queue must be done: by their deadlines, and by
// the target.
struct Limits {
  TimePoint deadline = kForever;
  TimePoint target = kForever;
};

Limits LimitsOf(absl::Span<const ReadyPicture> pictures,
                const BatchPolicy& policy) {
  Limits limits;
  for (const ReadyPicture& picture : pictures) {
    limits.deadline = std::min(limits.deadline, picture.deadline);
    if (policy.slo > Duration::zero()) {
      limits.target = std::min(limits.target, picture.arrived + policy.slo);
    }
  }
  return limits;
}

// The smallest batch that a queue as long as this allows. While more wait than
// fit into one batch, a deadline may cost half the throughput at most: the
// others have deadlines too.
int LeastSize(int most, const QueueView& queue, const BatchPolicy& policy,
              const ServiceTimes& times) {
  if (queue.waiting <= policy.max_batch) return 1;
  int n = 1;
  while (2 * n * ToSeconds(times.Typical(most)) <
         most * ToSeconds(times.Typical(n))) {
    ++n;
  }
  return n;
}

// The largest batch, at most `most`, that is done in time for the deadlines in
// it; of these the largest that keeps the target too, if one does. What cannot
// be kept even alone limits nothing; if no size fits, it is `most`.
int SizeInTime(TimePoint now, int most, const QueueView& queue,
               const BatchPolicy& policy, const ServiceTimes& times) {
  const int least = LeastSize(most, queue, policy, times);
  const TimePoint alone = now + times.Typical(1);
  int in_time = 0;
  int on_target = 0;
  Limits limits;
  for (int n = 1; n <= most; ++n) {
    const Limits own = LimitsOf(queue.first.subspan(n - 1, 1), policy);
    if (own.deadline >= alone) {
      limits.deadline = std::min(limits.deadline, own.deadline);
    }
    if (own.target >= alone) {
      limits.target = std::min(limits.target, own.target);
    }
    const TimePoint done = now + times.Typical(n);
    if (n < least || done > limits.deadline) continue;
    in_time = n;
    if (done <= limits.target) on_target = n;
  }
  if (on_target > 0) return on_target;
  return in_time > 0 ? in_time : most;
}

// Until when it pays to wait for one more than the `waiting`, who are fewer
// than max_batch. At most `now`: it does not.
TimePoint PatienceEnds(TimePoint now, const QueueView& queue,
                       const BatchPolicy& policy, const ServiceTimes& times) {
  const int w = queue.waiting;
  const Duration one_more = times.Typical(w + 1);
  Duration patience =
      times.Typical(1) / (w + 1) - (one_more - times.Typical(w));
  const Limits limits = LimitsOf(queue.first, policy);
  const Duration cautious = Cautious(times, w + 1);
  const bool gains =
      ToSeconds(times.Typical(w)) * (w + 1) > kGain * ToSeconds(one_more) * w;
  if (limits.target != kForever && gains) {
    patience = std::max(patience, limits.target - cautious - now);
  }
  if (queue.gap > patience) return now;

  TimePoint oldest = kForever;
  for (const ReadyPicture& p : queue.first) oldest = std::min(oldest, p.ready);
  TimePoint end = queue.unchanged_since +
                  std::min(patience, std::min(patience, queue.gap) * kLongGap);
  end = std::min(end, oldest + policy.max_delay);
  if (limits.target != kForever) end = std::min(end, limits.target - cautious);
  if (limits.deadline != kForever) {
    end = std::min(end, limits.deadline - cautious);
  }
  return end;
}

}  // namespace

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
                const BatchPolicy& policy, const ServiceTimes& times) {
  if (queue.waiting == 0) return {};
  if (queue.waiting > 1 &&
      now + times.Typical(1) > queue.first.front().deadline) {
    return {.give_up = 1};
  }
  const int ready = std::min(queue.waiting, policy.max_batch);
  const int size = SizeInTime(now, times.BestSize(ready), queue, policy, times);
  const DispatchReason reason = size == policy.max_batch ? DispatchReason::kFull
                                : queue.draining ? DispatchReason::kDrain
                                                 : DispatchReason::kWait;
  const bool company_would_join =
      size == queue.waiting && size < policy.max_batch && !queue.draining;
  if (company_would_join) {
    const TimePoint until = PatienceEnds(now, queue, policy, times);
    if (until > now) return {.wait_until = until};
  }
  return {.dispatch = size, .reason = reason};
}

}  // namespace groupmamba
