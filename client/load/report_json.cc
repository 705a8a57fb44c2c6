// The report for programs: docs/load-report.md describes it.

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/load/analysis.h"
#include "client/load/report.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

// Of this schema. Rises when a key changes its meaning or goes.
constexpr int kSchema = 2;

double Ms(Duration time) { return Rounded(ToMilliseconds(time), 3); }

Json HistogramJson(const Histogram& histogram) {
  Json json;
  json["count"] = histogram.count();
  for (const NamedQuantile& told : ToldQuantiles(histogram)) {
    json[std::string(told.name)] = Ms(histogram.Quantile(told.quantile));
  }
  json["max"] = Ms(histogram.max());
  json["mean"] = Ms(histogram.Mean());
  return json;
}

// Pairs of a fraction and the milliseconds that so many did not exceed, ever
// closer to 1 while a call lies beyond.
Json SpectrumJson(const Histogram& histogram) {
  Json json = Json::array();
  if (histogram.count() == 0) return json;
  const auto add = [&](double quantile) {
    json.push_back({Rounded(quantile, 6), Ms(histogram.Quantile(quantile))});
  };
  for (int percent = 0; percent < 90; percent += 5) add(percent / 100.0);
  for (double beyond = 0.1;
       beyond * static_cast<double>(histogram.count()) >= 1 && beyond > 5e-6;
       beyond *= 0.79432823472428) {  // ten to a decade
    add(1 - beyond);
  }
  add(1);
  return json;
}

Json RangeJson(const LoadResult& result) {
  Json json = Json::object();
  for (const NamedQuantile& told : ToldQuantiles(result.latency)) {
    if (const auto range = QuantileRange(result, told.quantile)) {
      json[std::string(told.name)] = {Ms(range->first), Ms(range->second)};
    }
  }
  return json;
}

std::string ArrivalName(ArrivalKind kind) {
  switch (kind) {
    case ArrivalKind::kConstant:
      return "constant";
    case ArrivalKind::kPoisson:
      return "poisson";
    case ArrivalKind::kTrace:
      return "trace";
  }
  return "";
}

Json PlanJson(const LoadPlan& plan, const LoadContext& context) {
  Json json;
  json["loop"] = plan.open ? "open" : "closed";
  if (plan.open) {
    if (plan.arrivals != ArrivalKind::kTrace) json["rate_per_s"] = plan.rate;
    if (plan.ramp_to > 0) json["ramp_to_per_s"] = plan.ramp_to;
    json["arrivals"] = ArrivalName(plan.arrivals);
    json["max_in_flight"] = plan.max_in_flight;
  } else {
    json["concurrency"] = plan.concurrency;
  }
  json["seed"] = plan.seed;
  json["warmup_s"] = ToSeconds(plan.warmup);
  json["duration_s"] = ToSeconds(plan.duration);
  json["deadline_ms"] = context.deadline_ms;
  json["payload"] = context.payload;
  json["connections"] = context.connections;
  json["streams"] = context.streams;
  json["retries"] = context.retries;
  return json;
}

Json SeriesJson(const LoadResult& result) {
  Json json;
  json["interval_s"] = ToSeconds(result.interval);
  for (const char* key :
       {"due", "answered", "failed", "dropped", "p50_ms", "p99_ms", "max_ms"}) {
    json[key] = Json::array();
  }
  for (const Interval& part : result.intervals) {
    json["due"].push_back(part.due);
    json["answered"].push_back(part.answered);
    json["failed"].push_back(part.failed);
    json["dropped"].push_back(part.dropped);
    const bool some = part.latency.count() > 0;
    const auto ms = [some](Duration time) {
      return some ? Json(Ms(time)) : Json(nullptr);
    };
    json["p50_ms"].push_back(ms(part.latency.Quantile(0.5)));
    json["p99_ms"].push_back(ms(part.latency.Quantile(0.99)));
    json["max_ms"].push_back(ms(part.latency.max()));
  }
  return json;
}

Json TimeJson(const LoadReport& report) {
  Json json = Json::array();
  for (const TimeRow& row :
       TimeTable(report.result, report.server ? &*report.server : nullptr)) {
    Json line;
    line["name"] = row.name;
    line["depth"] = row.depth;
    line["mean_ms"] = Rounded(row.ms, 3);
    line["share"] = Rounded(row.share, 4);
    if (row.page_ms) line["page_mean_ms"] = Rounded(*row.page_ms, 3);
    json.push_back(std::move(line));
  }
  return json;
}

Json CountsJson(const std::map<std::string, double>& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : counts) json[name] = std::llround(count);
  return json;
}

Json ServerJson(const ServerActivity& server, const LoadPlan& plan) {
  Json json;
  json["version"] = server.version;
  json["codes"] = CountsJson(server.codes);
  json["refused"] = CountsJson(server.refused);
  json["images"] = std::llround(server.images);
  json["batches"] = std::llround(server.batches);
  json["dispatch"] = CountsJson(server.dispatch);
  json["batch_sizes"] = Json::array();
  for (const auto& [bound, count] : server.batch_sizes) {
    Json pair = Json::array();
    pair.push_back(std::isinf(bound) ? Json(nullptr) : Json(bound));
    pair.push_back(std::llround(count));
    json["batch_sizes"].push_back(std::move(pair));
  }
  json["cpu_cores"] = Rounded(server.cpu_seconds / ToSeconds(plan.duration), 3);
  json["resident_mb"] = Rounded(server.resident_bytes / 1e6, 1);
  return json;
}

Json MeansJson(const Receipts& receipts) {
  const auto count = static_cast<double>(receipts.count);
  const auto mean = [count](Duration sum) {
    return Rounded(ToMilliseconds(sum) / count, 3);
  };
  return {{"decode_ms", mean(receipts.decode)},
          {"queue_ms", mean(receipts.queue)},
          {"batch_wait_ms", mean(receipts.batch_wait)},
          {"inference_ms", mean(receipts.inference)},
          {"total_ms", mean(receipts.total)},
          {"batch_size",
           Rounded(static_cast<double>(receipts.batch_sizes) / count, 3)}};
}

Json ObjectiveJson(const LoadReport& report) {
  Json json;
  json["text"] = ToString(*report.objective);
  json["met"] = Meets(*report.objective, report.result);
  json["goals"] = Json::array();
  for (const GoalOutcome& goal : Judge(*report.objective, report.result)) {
    const bool errors = goal.name == "errors";
    json["goals"].push_back(
        {{"name", goal.name},
         {errors ? "limit_ratio" : "limit_ms", goal.limit},
         {errors ? "ratio" : "ms", Rounded(goal.value, errors ? 6 : 3)},
         {"met", goal.met}});
  }
  return json;
}

Json HeadJson(const char* kind, const LoadContext& context) {
  Json json;
  json["schema"] = kSchema;
  json["kind"] = kind;
  json["started"] = context.started;
  json["command"] = context.command;
  json["client_version"] = GROUPMAMBA_VERSION;
  json["machine"] = context.machine;
  json["target"] = context.target;
  json["model"] = context.model;
  json["model_version"] = context.model_version;
  return json;
}

void AddFigures(const LoadReport& report, Json* out) {
  const LoadPlan& plan = report.plan;
  const LoadResult& result = report.result;
  Json& json = *out;
  json["plan"] = PlanJson(plan, report.context);
  json["valid"] = WhyInvalid(plan, result).empty();
  json["invalid_because"] = WhyInvalid(plan, result);
  json["planned"] = result.planned;
  json["dropped"] = result.dropped;
  json["ok"] = result.ok();
  json["failed"] = result.failed;
  json["codes"] = Json::object();
  for (const auto& [code, count] : result.codes) {
    json["codes"][absl::StatusCodeToString(code)] = count;
  }
  json["versions"] = Json::object();
  for (const auto& [version, count] : result.versions) {
    json["versions"][std::to_string(version)] = count;
  }
  json["offered_per_s"] = Rounded(OfferedPerSecond(plan, result), 3);
  json["achieved_per_s"] = Rounded(AchievedPerSecond(plan, result), 3);
  if (report.objective) {
    json["goodput_per_s"] =
        Rounded(GoodputPerSecond(plan, result, *report.objective), 3);
    json["objective"] = ObjectiveJson(report);
  }
  json["latency_from"] = plan.open ? "due" : "sent";
  json["latency_ms"] = HistogramJson(result.latency);
  json["latency_range_ms"] = RangeJson(result);
  json["service_ms"] = HistogramJson(result.service);
  json["failed_latency_ms"] = HistogramJson(result.failed_latency);
  if (plan.open) {
    json["send_lag_ms"] = HistogramJson(result.send_lag);
    json["late_ratio"] = Rounded(LateRatio(result), 6);
  }
  if (result.receipts.count > 0) {
    json["server_mean"] = MeansJson(result.receipts);
    json["explained_ratio"] = Rounded(ExplainedRatio(result), 4);
    json["time"] = TimeJson(report);
  }
  if (report.server) json["server"] = ServerJson(*report.server, plan);
  if (report.profile) json["profile"] = ToJson(*report.profile);
  json["spectrum_ms"] = {{"latency", SpectrumJson(result.latency)},
                         {"service", SpectrumJson(result.service)}};
  json["series"] = SeriesJson(result);
}

}  // namespace

std::string DescribeMachine() {
  std::string processor = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      processor = line.substr(colon + 2);
      break;
    }
  }
  utsname system = {};
  uname(&system);
  return absl::StrCat(processor, ", ", std::thread::hardware_concurrency(),
                      " cores, ", system.sysname, " ", system.release);
}

Json LoadJson(const LoadReport& report) {
  Json json = HeadJson("run", report.context);
  AddFigures(report, &json);
  return json;
}

Json SearchJson(const Objective& objective, const SearchResult& search,
                const LoadReport* best) {
  Json json =
      HeadJson("search", best != nullptr ? best->context : LoadContext());
  json["search"] = {{"objective", ToString(objective)},
                    {"rate_per_s", Rounded(search.rate, 3)},
                    {"low_per_s", Rounded(search.low, 3)},
                    {"high_per_s", Rounded(search.high, 3)},
                    {"client_limited", search.client_limited},
                    {"trials", Json::array()}};
  for (const Trial& trial : search.trials) {
    json["search"]["trials"].push_back(
        {{"rate_per_s", Rounded(trial.rate, 3)},
         {"met", trial.met},
         {"windows", trial.windows},
         {"windows_met", trial.windows_met},
         {"stable", trial.stable},
         {"client_limited", trial.client_limited}});
  }
  if (best != nullptr) AddFigures(*best, &json);
  return json;
}

Json SweepJson(const std::vector<LoadReport>& reports) {
  Json json = HeadJson("sweep", reports.front().context);
  json["runs"] = Json::array();
  for (const LoadReport& report : reports) {
    Json run;
    AddFigures(report, &run);
    json["runs"].push_back(std::move(run));
  }
  return json;
}

}  // namespace groupmamba::client
