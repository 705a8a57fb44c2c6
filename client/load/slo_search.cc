#include "client/load/slo_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace groupmamba::client {
namespace {

constexpr int kWindows = 5;

// The calls due in each of kWindows equal parts of the run.
std::vector<Interval> Windows(const LoadResult& result) {
  const size_t parts = result.intervals.size();
  const size_t count = std::min<size_t>(kWindows, parts);
  std::vector<Interval> windows(count);
  for (size_t i = 0; i < parts; ++i) {
    windows[i * count / parts].Merge(result.intervals[i]);
  }
  return windows;
}

bool MeetsIn(const Objective& objective, const Interval& window) {
  return Meets(objective, window.latency, window.failed + window.dropped,
               window.due);
}

// One rate, asked for until it is stable, and taken together.
class Searcher {
 public:
  Searcher(const SearchOptions& options,
           const std::function<Trial(double)>& run)
      : options_(options), run_(run) {}

  SearchResult Search() {
    Bracket();
    while (low_ > 0 && high_ < kNone &&
           high_ > low_ * (1 + options_.tolerance)) {
      Try(std::sqrt(low_ * high_));
    }
    result_.rate = low_;
    return result_;
  }

 private:
  static constexpr double kNone = std::numeric_limits<double>::infinity();

  void Bracket() {
    double rate = options_.start;
    if (Try(rate)) {
      while (high_ == kNone && rate < options_.highest) {
        rate = std::min(2 * rate, options_.highest);
        Try(rate);
      }
      return;
    }
    while (low_ == 0 && rate > options_.lowest) {
      rate = std::max(rate / 2, options_.lowest);
      Try(rate);
    }
  }

  bool Try(double rate) {
    int windows = 0;
    int windows_met = 0;
    bool met = false;
    bool limited = false;
    for (int i = 0; i < options_.repeats; ++i) {
      const Trial trial = run_(rate);
      result_.trials.push_back(trial);
      windows += trial.windows;
      windows_met += trial.windows_met;
      limited = trial.client_limited;
      met = i == 0 ? trial.met : 2 * windows_met > windows;
      if (trial.stable || limited) break;
    }
    met = met && !limited;
    if (met) {
      low_ = std::max(low_, rate);
    } else {
      high_ = std::min(high_, rate);
      result_.client_limited = limited;
    }
    return met;
  }

  const SearchOptions options_;
  const std::function<Trial(double)>& run_;
  SearchResult result_;
  double low_ = 0;       // met
  double high_ = kNone;  // missed
};

// The logarithm of the likelihood of the windows' outcomes where a window at
// `rate` meets the objective with the probability
// 1 / (1 + (rate / middle)^steepness).
double LogLikelihood(const std::vector<Trial>& trials, double middle,
                     double steepness) {
  double sum = 0;
  for (const Trial& trial : trials) {
    if (trial.client_limited) continue;
    const double x = steepness * std::log(trial.rate / middle);
    // -log(1 + e^x) and -log(1 + e^-x), without overflow.
    const double log_met =
        -std::max(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
    sum += trial.windows_met * log_met +
           (trial.windows - trial.windows_met) * (log_met + x);
  }
  return sum;
}

// The best over all steepnesses: half a rate's width to a thousandth.
double ProfileLogLikelihood(const std::vector<Trial>& trials, double middle) {
  double best = -std::numeric_limits<double>::infinity();
  for (double steepness = 2; steepness < 4000; steepness *= 1.25) {
    best = std::max(best, LogLikelihood(trials, middle, steepness));
  }
  return best;
}

// The rates whose profile likelihood is within 1.92 (half the 95 % point of chi
// square with one degree of freedom) of the best.
void SetInterval(SearchResult* result) {
  double lowest = std::numeric_limits<double>::infinity();
  double highest = 0;
  bool some_met = false;
  bool some_missed = false;
  for (const Trial& trial : result->trials) {
    if (trial.client_limited) continue;
    lowest = std::min(lowest, trial.rate);
    highest = std::max(highest, trial.rate);
    some_met = some_met || trial.windows_met > 0;
    some_missed = some_missed || trial.windows_met < trial.windows;
  }
  if (!some_met || !some_missed) return;
  constexpr int kSteps = 2000;
  constexpr double kWithin = 1.92;
  const auto rate_at = [&](int i) {
    return lowest / 2 * std::pow(4 * highest / lowest, double{1} * i / kSteps);
  };
  std::vector<double> likelihoods;
  for (int i = 0; i <= kSteps; ++i) {
    likelihoods.push_back(ProfileLogLikelihood(result->trials, rate_at(i)));
  }
  const double best = *std::max_element(likelihoods.begin(), likelihoods.end());
  for (int i = 0; i <= kSteps; ++i) {
    if (likelihoods[i] < best - kWithin) continue;
    if (result->low == 0) result->low = rate_at(i);
    result->high = rate_at(i);
  }
  result->low = std::min(result->low, result->rate);
}

}  // namespace

Trial JudgeTrial(const Objective& objective, double rate,
                 const LoadResult& result) {
  const std::vector<Interval> windows = Windows(result);
  Trial trial;
  trial.rate = rate;
  trial.windows = static_cast<int>(windows.size());
  trial.windows_met = static_cast<int>(std::count_if(
      windows.begin(), windows.end(), [&objective](const Interval& window) {
        return MeetsIn(objective, window);
      }));
  // A backlog that grows has spoiled the end, whatever the whole says.
  trial.met = Meets(objective, result) && !windows.empty() &&
              MeetsIn(objective, windows.back());
  const int agree =
      trial.met ? trial.windows_met : trial.windows - trial.windows_met;
  trial.stable = kWindows * (trial.windows - agree) <= trial.windows;
  return trial;
}

SearchResult FindHighestRate(const SearchOptions& options,
                             const std::function<Trial(double rate)>& run) {
  SearchResult result = Searcher(options, run).Search();
  SetInterval(&result);
  return result;
}

}  // namespace groupmamba::client
