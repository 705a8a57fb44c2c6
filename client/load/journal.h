// One line for each call of a load test, so that what the client saw can be
// held against what the server did.

#ifndef GROUPMAMBA_CLIENT_LOAD_JOURNAL_H_
#define GROUPMAMBA_CLIENT_LOAD_JOURNAL_H_

#include <ostream>

#include "base/mutex.h"
#include "client/load/request_mix.h"
#include "client/load/runner.h"

namespace groupmamba::client {

// The first line names the fields, which have commas between:
//
//   id         the request's id, which the server's journal has, too: a name of
//              the run, a dash, the call's number; empty: dropped, never sent
//   planned_s  when it was due, in seconds since the run began; so are
//   sent_s     when it was sent, and
//   done_s     when it ended; both empty where it was dropped
//   code       how: a gRPC status code's name, or DROPPED
//   version    of the model that answered; 0: none did
//   crc32      of the request's message, in hexadecimal; empty: dropped
//
// In the order in which the calls ended, the warm-up's included. Thread-safe.
class Journal {
 public:
  // Both outlive this.
  Journal(std::ostream* out, const RequestMix* requests);

  void Add(const CallRecord& call);

 private:
  const RequestMix* const requests_;
  Mutex mutex_;
  std::ostream* const out_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_JOURNAL_H_
