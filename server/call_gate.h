// Whether a call may be made, decided from its headers before any service hears
// of it: one place for all services of a listener, unary and streams.

#ifndef GROUPMAMBA_SERVER_CALL_GATE_H_
#define GROUPMAMBA_SERVER_CALL_GATE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "server/log_limit.h"
#include "server/metrics.h"
#include "server/status_map.h"
#include "server/tokens.h"

namespace groupmamba {

// What a call of `path`, "/package.Service/Method", needs. Health needs
// nothing: probes have no token, and it tells nothing that is secret.
Scope ScopeOf(absl::string_view path, bool on_admin_listener);

// Thread-safe.
class CallGate {
 public:
  // The pointers must outlive it.
  CallGate(const Tokens* tokens, bool on_admin_listener, Metrics* metrics,
           const Clock* clock)
      : tokens_(tokens),
        on_admin_listener_(on_admin_listener),
        metrics_(metrics),
        clock_(clock) {}

  // Counts and logs what it refuses; at most one line a second, which says how
  // many there were since the last. The error is for the client to read.
  absl::Status Check(absl::string_view path, absl::string_view authorization);

 private:
  void LogRefusal(Reason reason);

  const Tokens* const tokens_;
  const bool on_admin_listener_;
  Metrics* const metrics_;
  const Clock* const clock_;

  LogLimit log_limit_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CALL_GATE_H_
