#include "client/load/result.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxIntervals = 120;

// The least of 0.1 s, 0.2 s, 0.5 s, 1 s, ... of which a run has at most 120.
Duration IntervalFor(Duration duration) {
  Duration decade = milliseconds(100);
  for (;; decade *= 10) {
    for (const int step : {1, 2, 5}) {
      if (decade * step * kMaxIntervals >= duration) return decade * step;
    }
  }
}

// Versions that a model can have had during a run and are told apart; a server
// that answers with more is up to something.
constexpr size_t kMaxVersions = 100;

}  // namespace

void Interval::Merge(const Interval& other) {
  due += other.due;
  dropped += other.dropped;
  failed += other.failed;
  answered += other.answered;
  latency.Merge(other.latency);
}

void Receipts::Merge(const Receipts& other) {
  count += other.count;
  batch_sizes += other.batch_sizes;
  service += other.service;
  decode += other.decode;
  queue += other.queue;
  batch_wait += other.batch_wait;
  inference += other.inference;
  total += other.total;
}

LoadResult::LoadResult(TimePoint begin, Duration duration)
    : interval(IntervalFor(duration)),
      intervals((duration + interval - Duration(1)) / interval),
      begin_(begin),
      end_(begin + duration) {}

Interval* LoadResult::IntervalOf(TimePoint time) {
  if (time < begin_ || time >= end_) return nullptr;
  return &intervals[(time - begin_) / interval];
}

void LoadResult::AddPlanned(TimePoint due, bool sent) {
  if (due < begin_) return;
  ++planned;
  if (!sent) ++dropped;
  if (Interval* part = IntervalOf(due)) {
    ++part->due;
    if (!sent) ++part->dropped;
  }
}

void LoadResult::AddAnswer(const CallTimes& times, const LoadAnswer& answer,
                           bool open) {
  const bool ok = answer.code == absl::StatusCode::kOk;
  if (Interval* part = IntervalOf(times.done); part != nullptr && ok) {
    ++part->answered;
    ++ok_in_window;
  }
  if (times.due < begin_) return;
  ++codes[answer.code];
  if (open) {
    send_lag.Record(times.sent - times.due);
    if (times.sent - times.due > kLate) ++late;
  }
  Interval* part = IntervalOf(times.due);
  if (!ok) {
    ++failed;
    failed_latency.Record(times.done - times.due);
    if (part != nullptr) ++part->failed;
    return;
  }
  latency.Record(times.done - times.due);
  service.Record(times.done - times.sent);
  if (part != nullptr) part->latency.Record(times.done - times.due);
  if (versions.size() < kMaxVersions || versions.count(answer.version) > 0) {
    ++versions[answer.version];
  }
  if (answer.server_total > Duration(0)) {
    receipts.Merge({.count = 1,
                    .batch_sizes = answer.batch_size,
                    .service = times.done - times.sent,
                    .decode = answer.server_decode,
                    .queue = answer.server_queue,
                    .batch_wait = answer.server_batch_wait,
                    .inference = answer.server_inference,
                    .total = answer.server_total});
  }
}

void LoadResult::Merge(const LoadResult& other) {
  planned += other.planned;
  dropped += other.dropped;
  failed += other.failed;
  for (const auto& [code, count] : other.codes) codes[code] += count;
  ok_in_window += other.ok_in_window;
  latency.Merge(other.latency);
  service.Merge(other.service);
  failed_latency.Merge(other.failed_latency);
  send_lag.Merge(other.send_lag);
  late += other.late;
  receipts.Merge(other.receipts);
  for (const auto& [version, count] : other.versions) {
    versions[version] += count;
  }
  for (size_t i = 0; i < intervals.size(); ++i) {
    intervals[i].Merge(other.intervals[i]);
  }
}

}  // namespace groupmamba::client
