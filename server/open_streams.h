// The streams that clients hold open, so that a server that goes can end them
// itself: gRPC's own Shutdown resets a stream, and with it answers that are on
// their way.

#ifndef GROUPMAMBA_SERVER_OPEN_STREAMS_H_
#define GROUPMAMBA_SERVER_OPEN_STREAMS_H_

#include <functional>

#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace groupmamba {

class OpenStream {
 public:
  // From now on the stream reads nothing, and ends when what it has read is
  // answered. Returns what to run for that, without a lock; until then the
  // stream stays. Empty: nothing now.
  virtual std::function<void()> ClaimEnd() = 0;

 protected:
  ~OpenStream() = default;
};

// Thread-safe. Must outlive its streams.
class OpenStreams {
 public:
  explicit OpenStreams(Clock* clock) : clock_(clock) {}

  // Until Remove. False after EndAll: the stream is to end by itself.
  bool Add(OpenStream* stream);
  void Remove(OpenStream* stream);

  void EndAll();

  // Until no stream is open, or that time.
  void AwaitNone(TimePoint until);

 private:
  Clock* const clock_;
  Mutex mutex_;
  CondVar none_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<OpenStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_OPEN_STREAMS_H_
