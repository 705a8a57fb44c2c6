// What the load generator calls. The runner knows no protocol: each protocol is
// a LoadTarget (client/load/grpc_target.h), and tests bring simulated ones.

#ifndef GROUPMAMBA_CLIENT_LOAD_TARGET_H_
#define GROUPMAMBA_CLIENT_LOAD_TARGET_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "base/clock.h"

namespace groupmamba::client {

// How one call ended. What the reply's receipt says is 0 where the call failed
// or the server gives none. DATA_LOSS: the answer was to another request.
struct LoadAnswer {
  absl::StatusCode code = absl::StatusCode::kOk;
  int64_t version = 0;  // of the model that answered

  int batch_size = 0;
  Duration server_decode{};
  Duration server_queue{};
  Duration server_batch_wait{};  // part of server_queue
  Duration server_inference{};
  Duration server_total{};
};

// What is loaded. Start() comes from one thread.
class LoadTarget {
 public:
  virtual ~LoadTarget() = default;

  // Starts call `index` (from 0). `done` is called once, from any thread, also
  // before Start() returns; every call ends, be it by its deadline.
  virtual void Start(int64_t index,
                     std::function<void(const LoadAnswer&)> done) = 0;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_TARGET_H_
