#include "client/plan/profile.h"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "client/json.h"

namespace groupmamba::client {
namespace {

constexpr int kMostBatch = 1024;
constexpr double kMostSeconds = 3600;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the profile ", what));
}

absl::StatusOr<Duration> FromSeconds(double seconds, absl::string_view name) {
  if (!(seconds >= 0 && seconds <= kMostSeconds)) {
    return Wrong(absl::StrCat("has an impossible time: ", name));
  }
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds));
}

absl::Status AddBatchTime(const std::string& size, double seconds,
                          Profile* profile) {
  int n = 0;
  if (!absl::SimpleAtoi(size, &n) || n < 1 || n > kMostBatch) {
    return Wrong(
        absl::StrCat("has a batch size that is not 1 to ", kMostBatch));
  }
  GM_ASSIGN_OR_RETURN(profile->batch_times[n],
                      FromSeconds(seconds, "of a batch"));
  return absl::OkStatus();
}

// Of a line such as `name{model="m",size="8"} 0.01`; empty when it has none.
std::string LabelOf(absl::string_view line, absl::string_view label) {
  const std::string start = absl::StrCat(label, "=\"");
  const size_t at = line.find(start);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = line.substr(at + start.size());
  return std::string(rest.substr(0, rest.find('"')));
}

absl::StatusOr<Profile> FromPage(absl::string_view page, std::string model) {
  Profile profile;
  double decode_sum = 0;
  double decodes = 0;
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    const bool batch = absl::StartsWith(line, "groupmamba_batch_time_seconds{");
    const bool decode =
        absl::StartsWith(line, "groupmamba_stage_duration_seconds_") &&
        LabelOf(line, "stage") == "decode";
    double value = 0;
    if ((!batch && !decode) ||
        !absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) {
      continue;
    }
    const std::string of = LabelOf(line, "model");
    if (batch && model.empty()) model = of;
    if (batch && of == model) {
      GM_RETURN_IF_ERROR(AddBatchTime(LabelOf(line, "size"), value, &profile));
    }
    if (decode && (of == model || model.empty())) {
      if (absl::StrContains(line, "_sum{")) decode_sum += value;
      if (absl::StrContains(line, "_count{")) decodes += value;
    }
  }
  if (decodes > 0) {
    GM_ASSIGN_OR_RETURN(profile.decode,
                        FromSeconds(decode_sum / decodes, "of decoding"));
  }
  return profile;
}

// Reads `name` of `json` where it is there.
absl::Status Read(const Json& json, const char* name, double least, double most,
                  double* value) {
  if (!json.contains(name)) return absl::OkStatus();
  if (!json[name].is_number()) {
    return Wrong(absl::StrCat("has something else than a number: ", name));
  }
  *value = json[name].get<double>();
  if (*value >= least && *value <= most) return absl::OkStatus();
  return Wrong(absl::StrCat("has an impossible number: ", name));
}

absl::StatusOr<Profile> FromJson(absl::string_view text) {
  const Json whole = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!whole.is_object()) return Wrong("is neither JSON nor a metrics page");
  const Json& json = whole.contains("profile") ? whole["profile"] : whole;
  if (!json.is_object() || !json.contains("batch_ms") ||
      !json["batch_ms"].is_object()) {
    return Wrong("has no object batch_ms: milliseconds by batch size");
  }
  Profile profile;
  for (const auto& [size, ms] : json["batch_ms"].items()) {
    if (!ms.is_number()) return Wrong("has a time that is not a number");
    GM_RETURN_IF_ERROR(AddBatchTime(size, ms.get<double>() / 1000, &profile));
  }
  double decode_ms = 0;
  double threads = profile.decode_threads;
  double instances = profile.instances;
  double transport_ms = ToMilliseconds(profile.transport);
  double max_delay_ms = ToMilliseconds(profile.policy.max_delay);
  double slo_ms = 0;
  GM_RETURN_IF_ERROR(Read(json, "strays", 0, 1, &profile.strays));
  GM_RETURN_IF_ERROR(Read(json, "decode_ms", 0, 1e6, &decode_ms));
  GM_RETURN_IF_ERROR(Read(json, "decode_threads", 1, 1024, &threads));
  GM_RETURN_IF_ERROR(Read(json, "transport_ms", 0, 1e6, &transport_ms));
  GM_RETURN_IF_ERROR(Read(json, "instances", 1, 64, &instances));
  GM_RETURN_IF_ERROR(Read(json, "max_delay_ms", 0, 1e6, &max_delay_ms));
  GM_RETURN_IF_ERROR(Read(json, "slo_ms", 0, 1e6, &slo_ms));
  const auto milliseconds = [](double ms) {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, std::milli>(ms));
  };
  profile.decode = milliseconds(decode_ms);
  profile.decode_threads = static_cast<int>(threads);
  profile.transport = milliseconds(transport_ms);
  profile.instances = static_cast<int>(instances);
  profile.policy.max_delay = milliseconds(max_delay_ms);
  profile.policy.slo = milliseconds(slo_ms);
  return profile;
}

}  // namespace

absl::StatusOr<Profile> ParseProfile(absl::string_view text,
                                     const std::string& model) {
  const bool page = absl::StrContains(text, "groupmamba_batch_time_seconds{");
  GM_ASSIGN_OR_RETURN(Profile profile,
                      page ? FromPage(text, model) : FromJson(text));
  if (!profile.batch_times.contains(1)) {
    return Wrong("has no time for a batch of 1; does it hold that model?");
  }
  profile.policy.max_batch = profile.batch_times.rbegin()->first;
  return profile;
}

}  // namespace groupmamba::client
