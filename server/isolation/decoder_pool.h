// The decoder processes of a server, one for each decoding thread: restarted
// when they crash, so that a picture that kills its decoder harms nobody else.

#ifndef GROUPMAMBA_SERVER_ISOLATION_DECODER_POOL_H_
#define GROUPMAMBA_SERVER_ISOLATION_DECODER_POOL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/isolation/decoder_process.h"

namespace groupmamba {

// Thread-safe.
class DecoderPool {
 public:
  // Starts `count` processes. They end with the pool, and with the thread that
  // started them: this one's, or one that calls Prepare. `clock` must outlive
  // the pool. Errors: what the system or a process said, for the operator.
  static absl::StatusOr<std::unique_ptr<DecoderPool>> Start(
      const DecoderOptions& options, int count, Clock* clock);

  DecoderPool(const DecoderPool&) = delete;
  DecoderPool& operator=(const DecoderPool&) = delete;

  // PreparePicture's result, computed in one of the processes; what needs no
  // more than a copy is copied here. Waits for a process, if need be until one
  // may be restarted: at once after a first failure, later after pauses that
  // double from 10 ms to a second while no picture succeeds. INTERNAL
  // kDecoderCrash: the process crashed or hung on this picture, or cannot be
  // started.
  absl::Status Prepare(const Picture& picture, const TransformSpec& spec,
                       absl::Span<uint8_t> out);

  // Processes that were started in place of another.
  int64_t restarts() const;

  // Of the processes that are not at work, for tests, which attack them.
  std::vector<pid_t> idle_pids() const;

 private:
  struct Place {
    std::unique_ptr<DecoderProcess> process;  // null: is to be started
    bool taken = false;
    int failures = 0;  // since a picture succeeded
    TimePoint not_before = {};
  };

  DecoderPool(const DecoderOptions& options, Clock* clock)
      : options_(options), clock_(clock) {}

  Place* Take();
  Place* Usable(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Restart(Place* place);
  void Return(Place* place);

  const DecoderOptions options_;
  Clock* const clock_;

  mutable Mutex mutex_;
  CondVar changed_;
  // Of a place that is taken, `taken` alone is the lock's.
  std::vector<Place> places_ ABSL_GUARDED_BY(mutex_);
  int64_t restarts_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_DECODER_POOL_H_
