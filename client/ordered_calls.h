// Several asynchronous jobs at a time, their results in order.

#ifndef GROUPMAMBA_CLIENT_ORDERED_CALLS_H_
#define GROUPMAMBA_CLIENT_ORDERED_CALLS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace groupmamba::client {

// Runs jobs 0 to `count` - 1. `start(i, done)` starts one and arranges that
// `done(result)` is called once, from any thread, also before it returns;
// `finish(i, result)` takes the results in the order of i and returns whether
// to start any more. Both run on the calling thread.
//
// At most `window` jobs (at least 1) are started and not finished, which bounds
// the results that wait for their turn as well. Returns when every started job
// is finished.
template <typename Result>
void RunInOrder(
    size_t count, size_t window,
    const std::function<void(size_t, std::function<void(Result)>)>& start,
    const std::function<bool(size_t, Result)>& finish) {
  struct State {
    Mutex mutex;
    CondVar arrived;
    std::map<size_t, Result> results ABSL_GUARDED_BY(mutex);
  };
  // Shared: a job's thread may still hold it when the last result is taken.
  auto state = std::make_shared<State>();
  size_t started = 0;
  bool more = true;
  for (size_t next = 0; next < started || (more && next < count); ++next) {
    for (; more && started < count && started < next + window; ++started) {
      start(started, [state, i = started](Result result) {
        MutexLock lock(&state->mutex);
        state->results.emplace(i, std::move(result));
        state->arrived.NotifyOne();
      });
    }
    auto taken = [&] {
      MutexLock lock(&state->mutex);
      while (state->results.count(next) == 0) {
        state->arrived.Wait(&state->mutex);
      }
      return state->results.extract(next);
    }();
    more = finish(next, std::move(taken.mapped())) && more;
  }
}

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_ORDERED_CALLS_H_
