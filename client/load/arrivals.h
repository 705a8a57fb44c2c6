// When the calls of an open loop are due: a function of kind, rate and seed,
// the same on every machine.

#ifndef GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_
#define GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <random>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace groupmamba::client {

enum class ArrivalKind {
  kConstant,  // one every 1 / rate
  kPoisson,   // gaps drawn from the exponential distribution of mean 1 / rate
  kTrace,     // at recorded times
};

// Recorded times, counted from the start of the run; none before the one
// before it.
using Trace = std::vector<Duration>;

// Reads a trace: one time a line, in seconds, or a journal of `load`
// (client/load/journal.h), whose planned times count; in any order. The times
// begin where the earliest says; empty lines and those that begin with # are
// passed over. INVALID_ARGUMENT, with the number of the line, where one is no
// time, or is the ten-millionth.
absl::StatusOr<Trace> ReadTrace(std::istream* in);

// Calls a second over the time: `from` until `begin`, then in a straight line
// to `to` at `end`, and `to` from then on. Not negative, and not both 0.
struct RateProfile {
  static RateProfile Constant(double rate) { return {rate, rate, {}, {}}; }

  double from = 0;
  double to = 0;
  Duration begin{};
  Duration end{};
};

// Not thread-safe.
class Arrivals {
 public:
  // kConstant or kPoisson. The seed matters for kPoisson alone.
  Arrivals(ArrivalKind kind, const RateProfile& rate, uint64_t seed)
      : kind_(kind), rate_(rate), random_(seed) {}

  // kTrace.
  explicit Arrivals(std::shared_ptr<const Trace> trace)
      : kind_(ArrivalKind::kTrace), trace_(std::move(trace)) {}

  // When the next call is due, counted from the start of the run; never before
  // the one before it. The first is due one gap after the start. kNever: there
  // is none.
  Duration Next();

  static constexpr Duration kNever = Duration::max();

 private:
  const ArrivalKind kind_;
  const RateProfile rate_;
  const std::shared_ptr<const Trace> trace_;
  std::mt19937_64 random_;
  int64_t count_ = 0;    // calls so far
  double expected_ = 0;  // kPoisson: the sum of gaps of mean 1
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_ARRIVALS_H_
