#include "client/load/arrivals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace groupmamba::client {
namespace {

constexpr size_t kMaxTrace = 10'000'000;
constexpr double kMaxSeconds = 1e9;  // three decades; more is never

Duration AfterStart(double seconds) {
  // Written so that what is no number is never, too.
  return seconds < kMaxSeconds ? FromSeconds(seconds) : Arrivals::kNever;
}

// When `calls` calls are due at this rate: the inverse of the rate's integral.
double TimeOf(double calls, const RateProfile& rate) {
  const double begin = ToSeconds(rate.begin);
  if (rate.from == rate.to || calls <= rate.from * begin) {
    return calls / rate.from;
  }
  const double length = ToSeconds(rate.end - rate.begin);
  const double left = calls - rate.from * begin;
  const double in_ramp = (rate.from + rate.to) / 2 * length;
  if (left > in_ramp) return begin + length + (left - in_ramp) / rate.to;
  // from * t + slope * t^2 / 2 = left, solved without a difference of like
  // numbers.
  const double slope = (rate.to - rate.from) / length;
  const double root =
      std::sqrt(std::max(0.0, rate.from * rate.from + 2 * slope * left));
  return begin + 2 * left / (rate.from + root);
}

// The field of a line that holds the time: the second of a journal's.
absl::string_view TimeField(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  return absl::StripAsciiWhitespace(fields[fields.size() > 1 ? 1 : 0]);
}

}  // namespace

absl::StatusOr<Trace> ReadTrace(std::istream* in) {
  Trace trace;
  std::string line;
  for (int64_t number = 1; std::getline(*in, line); ++number) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text[0] == '#' || absl::StartsWith(text, "id,")) {
      continue;
    }
    const auto wrong = [number](absl::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " ", what));
    };
    double seconds = 0;
    if (!absl::SimpleAtod(TimeField(text), &seconds) || !(seconds >= 0) ||
        seconds >= kMaxSeconds) {
      return wrong("is no time in seconds");
    }
    if (trace.size() >= kMaxTrace) return wrong("is one too many");
    trace.push_back(AfterStart(seconds));
  }
  if (trace.empty()) {
    return absl::InvalidArgumentError("holds no time");
  }
  // A journal is in the order in which its calls ended.
  std::sort(trace.begin(), trace.end());
  return trace;
}

Duration Arrivals::Next() {
  if (kind_ == ArrivalKind::kTrace) {
    const auto index = static_cast<size_t>(count_++);
    return index < trace_->size() ? (*trace_)[index] : kNever;
  }
  if (kind_ == ArrivalKind::kConstant) {
    // Not a sum of gaps, whose rounding would add up.
    return AfterStart(TimeOf(static_cast<double>(++count_), rate_));
  }
  // The inverse of the distribution at 53 random bits in [0, 1): the standard
  // library's own exponential_distribution differs between implementations.
  const double uniform = std::ldexp(static_cast<double>(random_() >> 11), -53);
  expected_ -= std::log1p(-uniform);
  return AfterStart(TimeOf(expected_, rate_));
}

}  // namespace groupmamba::client
