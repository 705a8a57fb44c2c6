#include "client/plan/profile.h"

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/json.h"

namespace groupmamba::client {
namespace {

constexpr int kMostBatch = 1024;
constexpr double kMostSeconds = 3600;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the profile ", what));
}

absl::StatusOr<Duration> Possible(double seconds, absl::string_view name) {
  if (!(seconds >= 0 && seconds <= kMostSeconds)) {
    return Wrong(absl::StrCat("has an impossible time: ", name));
  }
  return FromSeconds(seconds);
}

absl::Status AddBatchTime(const std::string& size, double seconds,
                          Profile* profile) {
  int n = 0;
  if (!absl::SimpleAtoi(size, &n) || n < 1 || n > kMostBatch) {
    return Wrong(
        absl::StrCat("has a batch size that is not 1 to ", kMostBatch));
  }
  GM_ASSIGN_OR_RETURN(profile->batch_times[n], Possible(seconds, "of a batch"));
  return absl::OkStatus();
}

// Of the sample's label; empty when it has none.
std::string LabelOf(const Sample& sample, const std::string& label) {
  const auto found = sample.labels.find(label);
  return found == sample.labels.end() ? "" : found->second;
}

// A server's setting that is a time, as its page tells it.
absl::Status ReadSetting(const Sample& sample, Duration* setting) {
  GM_ASSIGN_OR_RETURN(*setting, Possible(sample.value, "of a setting"));
  return absl::OkStatus();
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
  profile.decode = FromMilliseconds(decode_ms);
  profile.decode_threads = static_cast<int>(threads);
  profile.transport = FromMilliseconds(transport_ms);
  profile.instances = static_cast<int>(instances);
  profile.policy.max_delay = FromMilliseconds(max_delay_ms);
  profile.policy.slo = FromMilliseconds(slo_ms);
  return profile;
}

// What every profile needs.
absl::Status Complete(Profile* profile) {
  if (!profile->batch_times.contains(1)) {
    return Wrong("has no time for a batch of 1; does it hold that model?");
  }
  profile->policy.max_batch = profile->batch_times.rbegin()->first;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Profile> ProfileOf(const MetricsPage& page, std::string model) {
  Profile profile;
  double decode_sum = 0;
  double decodes = 0;
  for (const Sample& sample : page) {
    const bool batch = sample.name == "groupmamba_batch_time_seconds";
    const std::string of = LabelOf(sample, "model");
    if (batch && model.empty()) model = of;
    if (sample.name == "groupmamba_decode_threads" && sample.value >= 1) {
      profile.decode_threads = static_cast<int>(sample.value);
    }
    if (of != model) continue;
    if (batch) {
      GM_RETURN_IF_ERROR(
          AddBatchTime(LabelOf(sample, "size"), sample.value, &profile));
    } else if (sample.name == "groupmamba_model_instances" &&
               sample.value >= 1) {
      profile.instances = static_cast<int>(sample.value);
    } else if (sample.name == "groupmamba_batch_max_delay_seconds") {
      GM_RETURN_IF_ERROR(ReadSetting(sample, &profile.policy.max_delay));
    } else if (sample.name == "groupmamba_batch_slo_seconds") {
      GM_RETURN_IF_ERROR(ReadSetting(sample, &profile.policy.slo));
    } else if (LabelOf(sample, "stage") == "decode") {
      const absl::string_view name = sample.name;
      if (name == "groupmamba_stage_duration_seconds_sum") {
        decode_sum += sample.value;
      } else if (name == "groupmamba_stage_duration_seconds_count") {
        decodes += sample.value;
      }
    }
  }
  if (decodes > 0) {
    GM_ASSIGN_OR_RETURN(profile.decode,
                        Possible(decode_sum / decodes, "of decoding"));
  }
  GM_RETURN_IF_ERROR(Complete(&profile));
  return profile;
}

Json ToJson(const Profile& profile) {
  const auto ms = [](Duration time) {
    return Rounded(ToMilliseconds(time), 4);
  };
  Json json;
  json["batch_ms"] = Json::object();
  for (const auto& [size, time] : profile.batch_times) {
    json["batch_ms"][std::to_string(size)] = ms(time);
  }
  json["strays"] = profile.strays;
  json["decode_ms"] = ms(profile.decode);
  json["decode_threads"] = profile.decode_threads;
  json["transport_ms"] = ms(profile.transport);
  json["instances"] = profile.instances;
  json["max_delay_ms"] = ms(profile.policy.max_delay);
  json["slo_ms"] = ms(profile.policy.slo);
  return json;
}

absl::StatusOr<Profile> ParseProfile(absl::string_view text,
                                     const std::string& model) {
  if (absl::StrContains(text, "groupmamba_batch_time_seconds{")) {
    return ProfileOf(ParseMetrics(text), model);
  }
  GM_ASSIGN_OR_RETURN(Profile profile, FromJson(text));
  GM_RETURN_IF_ERROR(Complete(&profile));
  return profile;
}

}  // namespace groupmamba::client
