// The server's gate: who may come in, how many are in, and the way to close it
// and wait until the last one has left. What does not fit is refused at once,
// never made to wait.

#ifndef GROUPMAMBA_SERVER_ADMISSION_H_
#define GROUPMAMBA_SERVER_ADMISSION_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
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

// Who wants to come in.
struct Applicant {
  int64_t bytes = 0;

  // Whose fair share it counts against; see server/client_id.h.
  uint64_t client = 0;

  // Until its deadline.
  Duration time_left = Duration::max();

  // Until it would be answered, as cautious an estimate as is wanted; 0: at
  // once, or unknown. The time that one request more makes of it.
  Duration predicted = {};
  Duration per_picture = {};
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

  // Whether its holder was let in.
  explicit operator bool() const { return gate_ != nullptr; }

  // The request's computation starts: its place in the queue is free.
  void LeaveQueue();

 private:
  friend class Admission;
  Ticket(Admission* gate, int64_t bytes, uint64_t client)
      : gate_(gate), bytes_(bytes), client_(client), waiting_(true) {}
  void Leave();

  Admission* gate_ = nullptr;
  int64_t bytes_ = 0;
  uint64_t client_ = 0;
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

  // A ticket, or why not: kDraining, kQueueFull, kBytesFull, kLate or
  // kOverShare.
  //
  // kLate: it would not be answered before its deadline.
  //
  // kOverShare: one client's waiting requests may take four times the room that
  // is still free, of places as of time until the deadline. So a client alone
  // may fill four fifths of the room, two who ask without end get four ninths
  // each, and one who asks for little always finds room. One who is alone is
  // told kQueueFull or kLate, whatever he is short of.
  std::variant<Ticket, Reason> Enter(const Applicant& applicant);

  // Nobody enters any more.
  void Close();

  // Waits until nobody is inside or `until` is reached. True: nobody is.
  bool AwaitEmpty(Clock* clock, TimePoint until);

  Usage usage() const;
  const AdmissionLimits& limits() const { return limits_; }

 private:
  friend class Ticket;
  // What the client is short of; nothing: it keeps within its share.
  std::optional<Reason> OverShare(const Applicant& applicant) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeaveQueue(uint64_t client);
  void Leave(int64_t bytes);

  const AdmissionLimits limits_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  Usage usage_ ABSL_GUARDED_BY(mutex_);

  // Requests that wait, by client; who has none is not there, so that it is
  // never larger than max_waiting.
  absl::flat_hash_map<uint64_t, int> waiting_of_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ADMISSION_H_
