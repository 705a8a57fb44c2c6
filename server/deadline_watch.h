// A thread that ends requests when their deadline comes, wherever they wait.
// gRPC does so for deadlines that a client set; the server's own nobody else
// watches.

#ifndef GROUPMAMBA_SERVER_DEADLINE_WATCH_H_
#define GROUPMAMBA_SERVER_DEADLINE_WATCH_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace groupmamba {

// Thread-safe.
class DeadlineWatch {
 public:
  // `expire`, called on the thread: ends everyone who waits and whose deadline
  // has come, and returns the earliest deadline of the others, kForever for
  // none. `clock` must outlive this.
  DeadlineWatch(std::function<TimePoint()> expire, Clock* clock);
  ~DeadlineWatch() { Stop(); }

  DeadlineWatch(const DeadlineWatch&) = delete;
  DeadlineWatch& operator=(const DeadlineWatch&) = delete;

  // A request with this deadline has begun to wait. Costs nothing when the
  // thread looks earlier anyway, as it mostly does.
  void Note(TimePoint deadline);

  // Ends the thread; what is noted afterwards has no effect.
  void Stop();

 private:
  void Run();

  const std::function<TimePoint()> expire_;
  Clock* const clock_;

  Mutex mutex_;
  CondVar changed_;
  // Written under the lock.
  std::atomic<TimePoint> next_ = kForever;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

// Calls `run` every `period`, on a thread of its own, for the first time after
// one, until the watch ends. `clock` must outlive it.
std::unique_ptr<DeadlineWatch> CallEvery(Duration period,
                                         std::function<void()> run,
                                         Clock* clock);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_DEADLINE_WATCH_H_
