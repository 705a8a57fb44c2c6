#include "client/load/baseline.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

// A figure and the range in which it would be 95 times of 100.
struct Figure {
  double value = 0;
  double low = 0;
  double high = 0;
};

// The number at `path`; none where there is no number.
std::optional<double> NumberAt(const Json& json, const std::string& path) {
  const Json::json_pointer pointer(path);
  if (!json.contains(pointer) || !json.at(pointer).is_number()) {
    return std::nullopt;
  }
  return json.at(pointer).get<double>();
}

std::optional<Figure> Latency(const Json& json, const std::string& name) {
  const auto value = NumberAt(json, "/latency_ms/" + name);
  const auto low = NumberAt(json, "/latency_range_ms/" + name + "/0");
  const auto high = NumberAt(json, "/latency_range_ms/" + name + "/1");
  if (!value || !low || !high) return std::nullopt;
  return Figure{*value, *low, *high};
}

// A rate's range from how much the parts of the run differ.
std::optional<Figure> Throughput(const Json& json) {
  const auto value = NumberAt(json, "/achieved_per_s");
  const auto interval = NumberAt(json, "/series/interval_s");
  const Json::json_pointer answered("/series/answered");
  if (!value || !interval || *interval <= 0 || !json.contains(answered) ||
      !json.at(answered).is_array()) {
    return std::nullopt;
  }
  double n = 0;
  double sum = 0;
  double squares = 0;
  for (const Json& count : json.at(answered)) {
    if (!count.is_number()) return std::nullopt;
    const double rate = count.get<double>() / *interval;
    ++n;
    sum += rate;
    squares += rate * rate;
  }
  if (n < 2) return std::nullopt;
  const double variance = std::max(0.0, (squares - sum * sum / n) / (n - 1));
  const double half = 1.96 * std::sqrt(variance / n);
  return Figure{*value, *value - half, *value + half};
}

// The fraction of the planned calls that came to nothing: Wilson's interval.
std::optional<Figure> Errors(const Json& json) {
  const auto planned = NumberAt(json, "/planned");
  const auto failed = NumberAt(json, "/failed");
  const auto dropped = NumberAt(json, "/dropped");
  if (!planned || !failed || !dropped || *planned < 1) return std::nullopt;
  const double n = *planned;
  const double p = (*failed + *dropped) / n;
  constexpr double kZ = 1.96;
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n)) /
                      (1 + kZ * kZ / n);
  return Figure{p, middle - half, middle + half};
}

std::optional<Figure> FoundRate(const Json& json) {
  const auto value = NumberAt(json, "/search/rate_per_s");
  const auto low = NumberAt(json, "/search/low_per_s");
  const auto high = NumberAt(json, "/search/high_per_s");
  if (!value || !low || !high || *high <= 0) return std::nullopt;
  return Figure{*value, *low, *high};
}

void Add(const std::string& name, bool more_is_better,
         const std::optional<Figure>& before, const std::optional<Figure>& now,
         Json* figures) {
  if (!before || !now) return;
  const bool more = now->low > before->high;
  const bool less = now->high < before->low;
  figures->push_back({{"name", name},
                      {"before", before->value},
                      {"now", now->value},
                      {"verdict", !more && !less           ? "same"
                                  : more == more_is_better ? "better"
                                                           : "worse"}});
}

// The parts of the plans that differ, but for the seed.
std::string Differences(const Json& before, const Json& now) {
  std::vector<std::string> names;
  for (const char* key : {"model", "model_version", "machine"}) {
    if (before.value(key, Json()) != now.value(key, Json())) {
      names.emplace_back(key);
    }
  }
  const Json old_plan = before.value("plan", Json::object());
  const Json new_plan = now.value("plan", Json::object());
  for (const auto& [key, value] : new_plan.items()) {
    // A search ends at a rate of its own.
    const bool found = key == "rate_per_s" && now.contains("search");
    if (key == "seed" || found) continue;
    if (!old_plan.is_object() || old_plan.value(key, Json()) != value) {
      names.push_back(key);
    }
  }
  if (names.empty()) return "";
  return absl::StrCat("not the same in both runs: ",
                      absl::StrJoin(names, ", "));
}

}  // namespace

absl::StatusOr<Json> ReadBaseline(std::istream* in) {
  Json json = Json::parse(*in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("schema") ||
      !json["schema"].is_number_integer()) {
    return absl::InvalidArgumentError(
        "is no JSON that 'load --json' has written");
  }
  if (json["schema"] != 2) {
    return absl::InvalidArgumentError(
        "is of another schema than this program's reports (2)");
  }
  return json;
}

Json Compare(const Json& before, const Json& now) {
  Json figures = Json::array();
  Add("highest rate, calls/s", true, FoundRate(before), FoundRate(now),
      &figures);
  Add("achieved, OK/s", true, Throughput(before), Throughput(now), &figures);
  for (const char* name : {"p50", "p90", "p95", "p99", "p99.9", "p99.99"}) {
    Add(absl::StrCat(name, ", ms"), false, Latency(before, name),
        Latency(now, name), &figures);
  }
  Add("failed and dropped, ratio", false, Errors(before), Errors(now),
      &figures);
  return {{"started", before.value("started", Json(""))},
          {"note", Differences(before, now)},
          {"figures", std::move(figures)}};
}

std::string ComparisonText(const Json& comparison) {
  std::string text =
      absl::StrCat("\n  ", PadRight("against the baseline", 28),
                   PadLeft("before", 10), PadLeft("now", 10), "\n");
  for (const Json& row : comparison["figures"]) {
    const double before = row["before"].get<double>();
    const double now = row["now"].get<double>();
    absl::StrAppend(
        &text, "  ", PadRight(row["name"].get<std::string>(), 28),
        PadLeft(Significant(before), 10), PadLeft(Significant(now), 10),
        before > 0
            ? PadLeft(absl::StrFormat("%+.1f %%", 100 * (now / before - 1)), 10)
            : std::string(10, ' '),
        "  ", row["verdict"].get<std::string>(), "\n");
  }
  const std::string note = comparison["note"].get<std::string>();
  if (!note.empty()) absl::StrAppend(&text, "  ", note, "\n");
  return text;
}

}  // namespace groupmamba::client
