// The figures that a report draws from what was counted. Pure functions.

#ifndef GROUPMAMBA_CLIENT_LOAD_ANALYSIS_H_
#define GROUPMAMBA_CLIENT_LOAD_ANALYSIS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/load/metrics_page.h"
#include "client/load/objective.h"
#include "client/load/result.h"
#include "client/load/runner.h"

namespace groupmamba::client {

// Calls a second that were due, and OK answers a second.
double OfferedPerSecond(const LoadPlan& plan, const LoadResult& result);
double AchievedPerSecond(const LoadPlan& plan, const LoadResult& result);

// OK answers within the objective's limit, a second of the run.
double GoodputPerSecond(const LoadPlan& plan, const LoadResult& result,
                        const Objective& objective);

// A run is invalid above this; WhyInvalid.
inline constexpr double kMaxLateRatio = 0.01;

// Of the calls sent, the fraction sent more than LoadResult::kLate late.
double LateRatio(const LoadResult& result);

// Why the figures tell less of the server than they seem to; empty where the
// load was what the plan says. Sentences for the user, without their end.
std::vector<std::string> WhyInvalid(const LoadPlan& plan,
                                    const LoadResult& result);

// A quantile that is told: "p99.9" and 0.999.
struct NamedQuantile {
  absl::string_view name;
  double quantile;
};

// p50, p90, p95, p99; p99.9 and p99.99 where at least ten of the values lie
// beyond.
std::vector<NamedQuantile> ToldQuantiles(const Histogram& histogram);

// Where the quantile of `result.latency` would lie in 95 of 100 runs like this:
// the wider of what the number of calls allows (order statistics), and what ten
// parts of the run differ by (batch means), since calls near each other fare
// alike. None without at least two OK answers.
std::optional<std::pair<Duration, Duration>> QuantileRange(
    const LoadResult& result, double quantile);

// One line of "where the time went": means over OK answers.
struct TimeRow {
  std::string name;
  int depth = 0;  // 1: part of the row above that has 0
  double ms = 0;
  double share = 0;                    // of the service time
  std::optional<double> page_ms = {};  // by the server's metrics page
};

// The stages of a call in their order, up to the service time, which is the
// last row; empty where no answer had a receipt. `server` may be null.
std::vector<TimeRow> TimeTable(const LoadResult& result,
                               const ServerActivity* server);

// The part of the mean service time that the receipts' decode, queue and
// inference add up to.
double ExplainedRatio(const LoadResult& result);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_ANALYSIS_H_
