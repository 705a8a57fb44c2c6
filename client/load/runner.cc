#include "client/load/runner.h"

#include <memory>
#include <utility>

#include "base/mutex.h"

namespace groupmamba::client {
namespace {

// One run. Shared with the calls in flight: the last one's thread may still be
// inside Finish() when the run is over.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(const LoadPlan& plan, LoadTarget* target, Clock* clock)
      : plan_(plan),
        target_(target),
        clock_(clock),
        start_(clock->Now()),
        begin_(start_ + plan.warmup),
        end_(begin_ + plan.duration) {}

  LoadResult Execute() {
    if (plan_.open) {
      SendWhenDue();
    } else {
      SendWhenAnswered();
    }
    MutexLock lock(&mutex_);
    while (in_flight_ > 0) clock_->WaitUntil(&answered_, &mutex_, kForever);
    return result_;
  }

 private:
  void SendWhenDue() {
    Arrivals arrivals(plan_.arrivals, plan_.rate, plan_.seed);
    for (;;) {
      const TimePoint due = start_ + arrivals.Next();
      if (due >= end_) return;
      if (AwaitDue(due)) Send(due);
    }
  }

  // Waits for the time. False: the call is dropped.
  bool AwaitDue(TimePoint due) {
    MutexLock lock(&mutex_);
    while (clock_->Now() < due) clock_->WaitUntil(&never_, &mutex_, due);
    const bool sent = in_flight_ < plan_.max_in_flight;
    if (due >= begin_) {
      ++result_.planned;
      if (!sent) ++result_.dropped;
    }
    if (sent) ++in_flight_;
    return sent;
  }

  void SendWhenAnswered() {
    while (AwaitCaller()) Send(clock_->Now());
  }

  // Waits for a caller without a call. False: the time is up.
  bool AwaitCaller() {
    MutexLock lock(&mutex_);
    while (in_flight_ >= plan_.concurrency && clock_->Now() < end_) {
      clock_->WaitUntil(&answered_, &mutex_, end_);
    }
    const TimePoint now = clock_->Now();
    if (now >= end_) return false;
    if (now >= begin_) ++result_.planned;
    ++in_flight_;
    return true;
  }

  void Send(TimePoint due) {
    const TimePoint sent = clock_->Now();
    target_->Start(next_index_++, [self = shared_from_this(), due,
                                   sent](const LoadAnswer& answer) {
      self->Finish(due, sent, answer);
    });
  }

  void Finish(TimePoint due, TimePoint sent, const LoadAnswer& answer) {
    const TimePoint now = clock_->Now();
    MutexLock lock(&mutex_);
    --in_flight_;
    const bool ok = answer.code == absl::StatusCode::kOk;
    if (ok && now >= begin_ && now < end_) ++result_.ok_in_window;
    if (due >= begin_) Measure(due, sent, now, answer);
    answered_.NotifyOne();
  }

  void Measure(TimePoint due, TimePoint sent, TimePoint now,
               const LoadAnswer& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++result_.codes[answer.code];
    if (plan_.open) {
      result_.send_lag.Record(sent - due);
      if (sent - due > LoadResult::kLate) ++result_.late;
    }
    if (answer.code != absl::StatusCode::kOk) {
      ++result_.failed;
      result_.failed_latency.Record(now - due);
      return;
    }
    result_.latency.Record(now - due);
    result_.service.Record(now - sent);
    result_.batch_sizes += answer.batch_size;
    result_.server_queue += answer.server_queue;
    result_.server_inference += answer.server_inference;
  }

  const LoadPlan plan_;
  LoadTarget* const target_;
  Clock* const clock_;
  const TimePoint start_;
  const TimePoint begin_;  // of what is measured
  const TimePoint end_;
  int64_t next_index_ = 0;  // of the sending thread alone

  Mutex mutex_;
  CondVar answered_;
  CondVar
      never_;  // is not notified: answers must not wake who waits for a time
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  LoadResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

LoadResult RunLoad(const LoadPlan& plan, LoadTarget* target, Clock* clock) {
  return std::make_shared<Run>(plan, target, clock)->Execute();
}

}  // namespace groupmamba::client
