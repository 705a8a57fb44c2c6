// SIGTERM, SIGINT and SIGHUP, waited for by a thread of their own rather than
// handled.

#ifndef GROUPMAMBA_SERVER_SIGNALS_H_
#define GROUPMAMBA_SERVER_SIGNALS_H_

#include <functional>

#include "base/mutex.h"

namespace groupmamba {

// Thread-safe. Never destroyed: its thread waits until the process ends.
class Signals {
 public:
  // Call once, before any other thread starts: the signals must be blocked in
  // all.
  static Signals* Watch();

  // Until this is called SIGTERM and SIGINT end the process with code 0:
  // nothing was accepted yet that would have to be answered.
  void BeginServing();

  // Returns at the first of them after that.
  void AwaitFirst();

  // Lets AwaitFirst return as if a signal had come.
  void EndWait();

  // Called at each further one; null: nothing is. When this returns the
  // former one is not running.
  void OnFurther(std::function<void()> callback);

  // The same for SIGHUP, from the first on.
  void OnHangup(std::function<void()> callback);

 private:
  Signals() = default;
  void RunThread();

  Mutex mutex_;
  CondVar changed_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool received_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> further_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> hangup_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SIGNALS_H_
