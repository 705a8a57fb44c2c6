#include "client/load/objective.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

absl::Status Wrong(absl::string_view part) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", Printable(part),
                   "' is no objective; give for example p99=50ms or "
                   "p99=50ms,p99.9=200ms,errors=0.1%"));
}

// A number from `text` without its unit; false where there is none.
bool ParseNumber(absl::string_view text, absl::string_view unit,
                 double* number) {
  return absl::ConsumeSuffix(&text, unit) && absl::SimpleAtod(text, number) &&
         *number >= 0 && *number <= 1e9;
}

absl::StatusOr<Duration> ParseTime(absl::string_view text) {
  double number = 0;
  double seconds = 0;
  if (ParseNumber(text, "us", &number)) {
    seconds = number / 1e6;
  } else if (ParseNumber(text, "ms", &number)) {
    seconds = number / 1e3;
  } else if (ParseNumber(text, "s", &number)) {
    seconds = number;
  }
  if (seconds <= 0 || seconds > ToSeconds(Histogram::kHighest)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Printable(text),
                     "' is no time up to 60 s; give for example 50ms"));
  }
  return std::chrono::round<Duration>(std::chrono::duration<double>(seconds));
}

std::string QuantileName(double quantile) {
  return absl::StrCat("p", 100 * quantile);
}

// By counting, not by the quantile's value: that is the end of its bucket,
// which may be a thousandth above the limit.
bool Within(const LatencyGoal& goal, const Histogram& latency) {
  return latency.count() > 0 &&
         static_cast<double>(latency.CountAtMost(goal.limit)) >=
             std::ceil(goal.quantile * static_cast<double>(latency.count()));
}

double Ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Duration Objective::Limit() const {
  Duration limit{};
  for (const LatencyGoal& goal : latencies) limit = std::max(limit, goal.limit);
  return limit;
}

absl::StatusOr<Objective> ParseObjective(absl::string_view text) {
  Objective objective;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> sides =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    absl::string_view name = sides.first;
    double percent = 0;
    if (name == "errors") {
      if (!ParseNumber(sides.second, "%", &percent) || percent > 100) {
        return Wrong(part);
      }
      objective.max_errors = percent / 100;
      continue;
    }
    if (!absl::ConsumePrefix(&name, "p") || !ParseNumber(name, "", &percent) ||
        percent <= 0 || percent >= 100) {
      return Wrong(part);
    }
    const absl::StatusOr<Duration> limit = ParseTime(sides.second);
    if (!limit.ok()) return limit.status();
    objective.latencies.push_back({percent / 100, *limit});
  }
  if (objective.latencies.empty()) return Wrong(text);
  return objective;
}

std::string ToString(const Objective& objective) {
  std::string text;
  for (const LatencyGoal& goal : objective.latencies) {
    absl::StrAppend(&text, QuantileName(goal.quantile), "=",
                    ToMilliseconds(goal.limit), "ms,");
  }
  return absl::StrCat(text, "errors=", 100 * objective.max_errors, "%");
}

std::vector<GoalOutcome> Judge(const Objective& objective,
                               const LoadResult& result) {
  std::vector<GoalOutcome> outcomes;
  for (const LatencyGoal& goal : objective.latencies) {
    const Duration value = result.latency.Quantile(goal.quantile);
    outcomes.push_back({.name = QuantileName(goal.quantile),
                        .limit = ToMilliseconds(goal.limit),
                        .value = ToMilliseconds(value),
                        .met = Within(goal, result.latency)});
  }
  const double errors = Ratio(result.failed + result.dropped, result.planned);
  outcomes.push_back({.name = "errors",
                      .limit = objective.max_errors,
                      .value = errors,
                      .met = errors <= objective.max_errors});
  return outcomes;
}

bool Meets(const Objective& objective, const Histogram& latency, int64_t lost,
           int64_t planned) {
  return latency.count() > 0 && Ratio(lost, planned) <= objective.max_errors &&
         std::all_of(objective.latencies.begin(), objective.latencies.end(),
                     [&latency](const LatencyGoal& goal) {
                       return Within(goal, latency);
                     });
}

bool Meets(const Objective& objective, const LoadResult& result) {
  return Meets(objective, result.latency, result.failed + result.dropped,
               result.planned);
}

}  // namespace groupmamba::client
