#include "client/load/runner.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace groupmamba::client {
namespace {

using std::chrono::seconds;

// Threads that finish calls write into shards of their own, as long as there
// are no more of them than this.
constexpr unsigned kShards = 8;

struct Shard {
  Mutex mutex;
  LoadResult result ABSL_GUARDED_BY(mutex);
};

// The same for every call of one thread.
unsigned ShardOfThisThread() {
  static std::atomic<unsigned> next = 0;
  thread_local const unsigned shard = next++ % kShards;
  return shard;
}

// One run. Shared with the calls in flight: the last one's thread may still be
// inside Finish() when the run is over.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(const LoadPlan& plan, LoadTarget* target, Clock* clock,
      const LoadWatch& watch)
      : plan_(plan),
        target_(target),
        clock_(clock),
        watch_(watch),
        start_(clock->Now()),
        begin_(start_ + plan.warmup),
        end_(begin_ + plan.duration),
        shards_(kShards) {
    for (auto& shard : shards_) {
      shard = std::make_unique<Shard>();
      MutexLock lock(&shard->mutex);
      shard->result = LoadResult(begin_, plan.duration);
    }
  }

  LoadResult Execute() {
    std::thread watcher;
    if (watch_.begun || watch_.each_second) {
      watcher = std::thread([this] { Watch(); });
    }
    if (plan_.open) {
      SendWhenDue();
    } else {
      SendWhenAnswered();
    }
    AwaitAnswers();
    if (watcher.joinable()) watcher.join();
    return Merged();
  }

 private:
  void SendWhenDue() {
    Arrivals arrivals = ArrivalsOf(plan_);
    for (;;) {
      const Duration after = arrivals.Next();
      if (after >= end_ - start_) return;
      const TimePoint due = start_ + after;
      SleepUntil(due);
      const bool send = in_flight_ < plan_.max_in_flight;
      Plan(due, send);
      if (send) {
        Send(due);
      } else if (watch_.each_call) {
        watch_.each_call(
            {.id = -1, .start = start_, .times = {.due = due}, .answer = {}});
      }
    }
  }

  void SleepUntil(TimePoint due) {
    if (clock_->Now() >= due) return;
    MutexLock lock(&sleep_mutex_);
    while (clock_->Now() < due) {
      clock_->WaitUntil(&never_, &sleep_mutex_, due);
    }
  }

  void SendWhenAnswered() {
    while (AwaitCaller()) {
      const TimePoint now = clock_->Now();
      Plan(now, true);
      Send(now);
    }
  }

  // Waits for a caller without a call. False: the time is up.
  bool AwaitCaller() {
    MutexLock lock(&mutex_);
    while (in_flight_ >= plan_.concurrency && clock_->Now() < end_) {
      clock_->WaitUntil(&answered_, &mutex_, end_);
    }
    return clock_->Now() < end_;
  }

  void AwaitAnswers() {
    MutexLock lock(&mutex_);
    while (in_flight_ > 0) clock_->WaitUntil(&answered_, &mutex_, kForever);
    over_ = true;
    tick_.NotifyAll();
  }

  void Plan(TimePoint due, bool sent) {
    Shard& shard = *shards_[ShardOfThisThread()];
    MutexLock lock(&shard.mutex);
    shard.result.AddPlanned(due, sent);
  }

  void Send(TimePoint due) {
    ++in_flight_;
    const int64_t id = next_id_++;
    const TimePoint sent = clock_->Now();
    target_->Start(id, [self = shared_from_this(), id, due,
                        sent](const LoadAnswer& answer) {
      self->Finish(id, {.due = due, .sent = sent, .done = {}}, answer);
    });
  }

  void Finish(int64_t id, CallTimes times, const LoadAnswer& answer) {
    times.done = clock_->Now();
    {
      Shard& shard = *shards_[ShardOfThisThread()];
      MutexLock lock(&shard.mutex);
      shard.result.AddAnswer(times, answer, plan_.open);
    }
    if (watch_.each_call) {
      watch_.each_call(
          {.id = id, .start = start_, .times = times, .answer = answer});
    }
    // An open loop waits for answers only at its end, for the last one.
    if (--in_flight_ == 0 || !plan_.open) {
      MutexLock lock(&mutex_);
      answered_.NotifyOne();
    }
  }

  // The watching thread.
  void Watch() {
    for (TimePoint tick = begin_; AwaitTick(tick); tick += seconds(1)) {
      if (tick == begin_ && watch_.begun) watch_.begun();
      if (tick > begin_ && watch_.each_second) watch_.each_second(Snapshot());
    }
  }

  // False: the run is over.
  bool AwaitTick(TimePoint tick) {
    MutexLock lock(&mutex_);
    while (!over_ && clock_->Now() < tick) {
      clock_->WaitUntil(&tick_, &mutex_, tick);
    }
    return !over_;
  }

  LoadResult Merged() {
    LoadResult merged(begin_, plan_.duration);
    for (const auto& shard : shards_) {
      MutexLock lock(&shard->mutex);
      merged.Merge(shard->result);
    }
    return merged;
  }

  LoadSnapshot Snapshot() {
    LoadSnapshot snapshot;
    snapshot.elapsed = clock_->Now() - begin_;
    snapshot.in_flight = in_flight_;
    for (const auto& shard : shards_) {
      MutexLock lock(&shard->mutex);
      Add(shard->result, &snapshot);
    }
    return snapshot;
  }

  static void Add(const LoadResult& result, LoadSnapshot* snapshot) {
    snapshot->ok += result.ok();
    snapshot->failed += result.failed;
    snapshot->dropped += result.dropped;
    // The parts that ended within the last second, or the last one that did.
    const auto count = static_cast<int64_t>(result.intervals.size());
    const int64_t end = std::min(count, snapshot->elapsed / result.interval);
    const int64_t parts = std::max<int64_t>(1, seconds(1) / result.interval);
    const int64_t begin = std::max<int64_t>(0, end - parts);
    for (int64_t i = begin; i < end; ++i) {
      snapshot->ok_per_s += static_cast<double>(result.intervals[i].answered) /
                            ToSeconds(result.interval * (end - begin));
      snapshot->latency.Merge(result.intervals[i].latency);
    }
  }

  const LoadPlan plan_;
  LoadTarget* const target_;
  Clock* const clock_;
  const LoadWatch& watch_;  // for as long as a call is in flight
  const TimePoint start_;
  const TimePoint begin_;  // of what is measured
  const TimePoint end_;
  int64_t next_id_ = 0;  // of the sending thread alone

  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<int> in_flight_ = 0;

  Mutex sleep_mutex_;
  CondVar
      never_;  // is not notified: answers must not wake who waits for a time

  Mutex mutex_;
  CondVar answered_;  // in_flight_ fell
  CondVar tick_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

Arrivals ArrivalsOf(const LoadPlan& plan) {
  if (plan.arrivals == ArrivalKind::kTrace) return Arrivals(plan.trace);
  const bool ramp = plan.ramp_to > 0;
  return Arrivals(plan.arrivals,
                  {.from = plan.rate,
                   .to = ramp ? plan.ramp_to : plan.rate,
                   .begin = plan.warmup,
                   .end = plan.warmup + plan.duration},
                  plan.seed);
}

LoadResult RunLoad(const LoadPlan& plan, LoadTarget* target, Clock* clock,
                   const LoadWatch& watch) {
  return std::make_shared<Run>(plan, target, clock, watch)->Execute();
}

}  // namespace groupmamba::client
