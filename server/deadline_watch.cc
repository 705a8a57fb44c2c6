#include "server/deadline_watch.h"

#include <utility>

namespace groupmamba {

DeadlineWatch::DeadlineWatch(std::function<TimePoint()> expire, Clock* clock)
    : expire_(std::move(expire)), clock_(clock), thread_([this] { Run(); }) {}

void DeadlineWatch::Note(TimePoint deadline) {
  if (deadline >= next_.load()) return;
  {
    MutexLock lock(&mutex_);
    if (deadline >= next_.load()) return;
    next_ = deadline;
  }
  changed_.NotifyOne();
}

void DeadlineWatch::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void DeadlineWatch::Run() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && clock_->Now() < next_.load()) {
        clock_->WaitUntil(&changed_, &mutex_, next_.load());
      }
      if (stopping_) return;
      // Before it looks: what begins to wait meanwhile is noted again.
      next_ = kForever;
    }
    Note(expire_());
  }
}

std::unique_ptr<DeadlineWatch> CallEvery(Duration period,
                                         std::function<void()> run,
                                         Clock* clock) {
  auto watch = std::make_unique<DeadlineWatch>(
      [period, run = std::move(run), clock] {
        run();
        return clock->Now() + period;
      },
      clock);
  watch->Note(clock->Now() + period);
  return watch;
}

}  // namespace groupmamba
