// The server's gate: who may come in, how many are in, and the way to close it
// and wait until the last one has left. What does not fit is refused at once,
// never made to wait.

#ifndef GROUPMAMBA_SERVER_ADMISSION_H_
#define GROUPMAMBA_SERVER_ADMISSION_H_

#include <cstdint>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "base/mutex.h"
#include "server/status_map.h"

namespace groupmamba {

struct AdmissionLimits {
  // Requests that were accepted and do not compute yet: they are decoded or
  // wait for the model. At least 1.
  int max_waiting = 256;

  // Bytes of pictures of all requests that are not answered yet. At least 1.
  int64_t max_bytes = int64_t{256} << 20;
};

class Admission;

// The right to be inside; leaves when destroyed. Movable. The gate must outlive
// it. Not thread-safe: whoever owns the request owns its ticket.
class Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&& other) noexcept { *this = std::move(other); }
  Ticket& operator=(Ticket&& other) noexcept;
  ~Ticket() { Leave(); }

  // The request's computation starts: its place in the queue is free.
  void LeaveQueue();

 private:
  friend class Admission;
  Ticket(Admission* gate, int64_t bytes)
      : gate_(gate), bytes_(bytes), waiting_(true) {}
  void Leave();

  Admission* gate_ = nullptr;
  int64_t bytes_ = 0;
  bool waiting_ = false;
};

// Thread-safe.
class Admission {
 public:
  struct Usage {
    int waiting = 0;    // of max_waiting
    int in_flight = 0;  // waiting, or computing and not answered yet
    int64_t bytes = 0;  // of max_bytes
  };

  explicit Admission(const AdmissionLimits& limits) : limits_(limits) {}

  // A ticket, or why not: kDraining, kQueueFull or kBytesFull.
  std::variant<Ticket, Reason> Enter(int64_t bytes);

  // Nobody enters any more.
  void Close();

  // Waits until nobody is inside or `until` is reached. True: nobody is.
  bool AwaitEmpty(Clock* clock, TimePoint until);

  Usage usage() const;
  const AdmissionLimits& limits() const { return limits_; }

 private:
  friend class Ticket;
  void LeaveQueue();
  void Leave(int64_t bytes);

  const AdmissionLimits limits_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  Usage usage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ADMISSION_H_
