// What happens in one chaos run, and when: a function of the seed.

#ifndef GROUPMAMBA_TESTS_CHAOS_SCHEDULE_H_
#define GROUPMAMBA_TESTS_CHAOS_SCHEDULE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::chaos {

// A call of the API's, with the ways in which callers and pictures go wrong.
struct PlannedCall {
  Duration at = {};
  Duration deadline = {};
  Duration cancel_after = Duration::max();  // since `at`; max: it is not
  v1::ClassifyRequest request = {};
};

// The server's process stands still for a while.
struct PlannedStop {
  Duration at = {};
  Duration length = {};
};

// A decoder process is killed.
struct PlannedKill {
  Duration at = {};
  size_t which = 0;  // of those that live, counted in a circle
};

struct Schedule {
  std::vector<PlannedCall> calls = {};  // in order
  std::vector<PlannedStop> stops = {};  // in order; they do not overlap

  // In order. At each a new version of the model comes; a new certificate.
  std::vector<Duration> reloads = {};
  std::vector<Duration> swaps = {};

  // In order. Shortly before each comes a call whose picture takes long.
  std::vector<PlannedKill> kills = {};

  // The load clients that run beside: over streams, and over the V2 protocol.
  int stream_rate = 0;
  int v2_rate = 0;

  // Of the server: its decoder processes, one for each decoding thread, and
  // what else it is told.
  int decoders = 0;
  std::vector<std::string> server_flags = {};

  Duration length = {};
};

// `isolated`: the server decodes in processes; without, none is killed.
Schedule MakeSchedule(uint64_t seed, bool isolated = true);

// The same for the same schedule, and another for any other, as far as 32 bits
// go.
uint32_t Fingerprint(const Schedule& schedule);

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_SCHEDULE_H_
