// A call's deadline by the server's monotonic clock.

#ifndef GROUPMAMBA_SERVER_CALL_DEADLINE_H_
#define GROUPMAMBA_SERVER_CALL_DEADLINE_H_

#include <chrono>

#include "base/clock.h"
#include "grpcpp/server_context.h"

namespace groupmamba {

// kForever: the client set none.
inline TimePoint DeadlineOf(const grpc::CallbackServerContext& context,
                            const Clock& clock) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return kForever;
  return clock.Now() + (deadline - std::chrono::system_clock::now());
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CALL_DEADLINE_H_
