// What a server's speed is, as measured: what `plan` computes from.

#ifndef GROUPMAMBA_CLIENT_PLAN_PROFILE_H_
#define GROUPMAMBA_CLIENT_PLAN_PROFILE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "client/json.h"
#include "client/load/metrics_page.h"
#include "server/batching/policy.h"

namespace groupmamba::client {

struct Profile {
  // How long a batch of a size keeps an instance busy, for some sizes; holds 1,
  // and the largest is max_batch. The mean relative deviation of a batch.
  std::map<int, Duration> batch_times;
  double strays = 0.02;

  // Decoding one picture, and the threads that do it.
  Duration decode = {};
  int decode_threads = 1;

  // What gRPC and the network add to an answer.
  Duration transport = std::chrono::microseconds(500);

  int instances = 1;
  BatchPolicy policy;  // max_batch follows from batch_times
};

// What a server's metrics page tells of `model`; empty: of the only one, or the
// first. What it does not tell keeps its default. Errors: as below.
absl::StatusOr<Profile> ProfileOf(const MetricsPage& page, std::string model);

// As ParseProfile reads it.
Json ToJson(const Profile& profile);

// Reads
//   - a server's metrics page.
//   - JSON: {"batch_ms": {"1": 5.1, "8": 9.8}, "strays": 0.02, "decode_ms":
//   0.4,
//     "decode_threads": 2, "transport_ms": 0.5, "instances": 1,
//     "max_delay_ms": 5, "slo_ms": 0}, or a larger object with that under
//     "profile". All but batch_ms may be absent.
// Errors: INVALID_ARGUMENT, with a sentence that says what is missing or wrong.
absl::StatusOr<Profile> ParseProfile(absl::string_view text,
                                     const std::string& model);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_PLAN_PROFILE_H_
