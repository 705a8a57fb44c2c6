// When the calls of an open loop are due: a function of kind, rate and seed,
// the same on every machine.

#ifndef GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_
#define GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_

#include <cstdint>
#include <random>

#include "base/clock.h"

namespace groupmamba::client {

enum class ArrivalKind {
  kConstant,  // one every 1 / rate
  kPoisson,   // gaps drawn from the exponential distribution of mean 1 / rate
};

// Not thread-safe.
class Arrivals {
 public:
  // `rate` in calls a second, above 0. The seed matters for kPoisson alone.
  Arrivals(ArrivalKind kind, double rate, uint64_t seed)
      : kind_(kind), rate_(rate), random_(seed) {}

  // When the next call is due, counted from the start of the run; never before
  // the one before it. The first is due one gap after the start.
  Duration Next();

 private:
  const ArrivalKind kind_;
  const double rate_;
  std::mt19937_64 random_;
  int64_t count_ = 0;   // kConstant: calls so far
  double seconds_ = 0;  // kPoisson: when the last call was due
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_
