// The highest rate that meets an objective: bracketed by doubling, then
// bisected. Knows no server: what a rate does is asked of a function.

#ifndef GROUPMAMBA_CLIENT_LOAD_SLO_SEARCH_H_
#define GROUPMAMBA_CLIENT_LOAD_SLO_SEARCH_H_

#include <functional>
#include <vector>

#include "client/load/objective.h"
#include "client/load/result.h"

namespace groupmamba::client {

// What came of a rate.
struct Trial {
  double rate = 0;
  bool met = false;     // by all of its calls, and by those of its last window
  int windows = 0;      // parts of the trial that were judged by themselves
  int windows_met = 0;  // of them
  bool stable = false;  // whether all windows but a fifth agree with `met`
  bool client_limited = false;  // this machine could not offer the rate
};

// Judges one run at `rate` by five windows of equal length.
Trial JudgeTrial(const Objective& objective, double rate,
                 const LoadResult& result);

struct SearchOptions {
  double start = 1;         // calls a second, above 0
  double highest = 100000;  // the search ends there
  double lowest = 0.1;
  double tolerance = 0.02;  // ends when the bracket is narrower than this
  int repeats = 3;          // of a rate whose trial is not stable
};

struct SearchResult {
  // The highest rate that met the objective; 0: none did.
  double rate = 0;

  // 95 % confidence interval of the rate at which half of the windows would
  // meet it; both 0 where no rate met it, or none missed it.
  double low = 0;
  double high = 0;

  // The bracket's upper end was this machine's limit, not the server's.
  bool client_limited = false;

  std::vector<Trial> trials;  // in their order
};

// Calls `run` for one rate after the other. An unstable rate is asked for
// again, up to `repeats` times in all, and taken to be met when most of its
// windows met the objective.
SearchResult FindHighestRate(const SearchOptions& options,
                             const std::function<Trial(double rate)>& run);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_SLO_SEARCH_H_
