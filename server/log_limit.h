// Keeps what strangers can cause from flooding the log.

#ifndef GROUPMAMBA_SERVER_LOG_LIMIT_H_
#define GROUPMAMBA_SERVER_LOG_LIMIT_H_

#include <chrono>
#include <cstdint>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace groupmamba {

// One line a second. Thread-safe.
class LogLimit {
 public:
  // Something happened that deserves a line. How often it did since the last
  // line, if one is due now; 0: say nothing.
  int64_t Count(TimePoint now) {
    MutexLock lock(&mutex_);
    ++unsaid_;
    if (now < next_line_) return 0;
    next_line_ = now + std::chrono::seconds(1);
    return std::exchange(unsaid_, 0);
  }

 private:
  Mutex mutex_;
  TimePoint next_line_ ABSL_GUARDED_BY(mutex_) = {};
  int64_t unsaid_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_LOG_LIMIT_H_
