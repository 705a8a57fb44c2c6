// What a load test has measured, in memory that does not grow with the calls.

#ifndef GROUPMAMBA_CLIENT_LOAD_RESULT_H_
#define GROUPMAMBA_CLIENT_LOAD_RESULT_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "client/load/histogram.h"
#include "client/load/target.h"

namespace groupmamba::client {

// When what happened to a call. `due` equals `sent` in a closed loop, where
// nothing is due.
struct CallTimes {
  TimePoint due{};
  TimePoint sent{};
  TimePoint done{};
};

// A part of the run. A call belongs to the part in which it was due, its answer
// to the one in which it came.
struct Interval {
  int64_t due = 0;
  int64_t dropped = 0;                    // of those due
  int64_t failed = 0;                     // of those due
  int64_t answered = 0;                   // OK answers that came
  Histogram latency{Histogram::kCoarse};  // of OK answers, by when it was due

  void Merge(const Interval& other);
};

// Sums of the receipts over the OK answers that had one.
struct Receipts {
  int64_t count = 0;
  int64_t batch_sizes = 0;
  Duration service{};  // by this client's clock, of the same calls
  Duration decode{};
  Duration queue{};
  Duration batch_wait{};  // part of queue
  Duration inference{};
  Duration total{};

  void Merge(const Receipts& other);
};

// Calls that were due (closed loop: sent) after the warm-up; `ok_in_window` and
// Interval::answered count others' answers too. Not thread-safe.
struct LoadResult {
  LoadResult() = default;

  // For calls due from `begin` for `duration`, above 0.
  LoadResult(TimePoint begin, Duration duration);

  // A call was due and is sent, or dropped.
  void AddPlanned(TimePoint due, bool sent);

  // A call ended. `open`: whether it had been due at a time of its own.
  void AddAnswer(const CallTimes& times, const LoadAnswer& answer, bool open);

  // Adds what another result of the same begin and duration counted.
  void Merge(const LoadResult& other);

  int64_t ok() const { return latency.count(); }

  int64_t planned = 0;  // sent and dropped
  int64_t dropped = 0;
  int64_t failed = 0;
  std::map<absl::StatusCode, int64_t> codes;  // of what was sent

  // Calls answered OK between the end of the warm-up and the end of the run,
  // whenever they were sent.
  int64_t ok_in_window = 0;

  // From when the call was due (closed loop: sent) to its OK.
  Histogram latency;
  // From when the call was sent to its OK.
  Histogram service;
  // From when the call was due (closed loop: sent) to its failure.
  Histogram failed_latency;
  // How long after it was due a call was sent. Open loop only.
  Histogram send_lag;
  int64_t late = 0;  // calls sent more than kLate after they were due

  static constexpr Duration kLate = std::chrono::milliseconds(2);

  Receipts receipts;
  std::map<int64_t, int64_t> versions;  // OK answers by the model's version

  // The run in at most 120 parts of `interval`, in order.
  Duration interval{};
  std::vector<Interval> intervals;

 private:
  // The part that holds `time`; null outside the run.
  Interval* IntervalOf(TimePoint time);

  TimePoint begin_;
  TimePoint end_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_RESULT_H_
