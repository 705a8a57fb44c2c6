#include "client/load/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/json.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr double kMaxLateRatio = 0.01;

double OfferedPerSecond(const LoadPlan& plan, const LoadResult& result) {
  return static_cast<double>(result.planned) / ToSeconds(plan.duration);
}

double AchievedPerSecond(const LoadPlan& plan, const LoadResult& result) {
  return static_cast<double>(result.ok_in_window) / ToSeconds(plan.duration);
}

double LateRatio(const LoadResult& result) {
  const int64_t sent = result.planned - result.dropped;
  return sent == 0 ? 0 : static_cast<double>(result.late) / sent;
}

int64_t Answered(const LoadResult& result) { return result.latency.count(); }

std::string HistogramRow(absl::string_view name, const Histogram& histogram,
                         absl::string_view meaning) {
  std::string row = absl::StrCat("  ", PadRight(name, 16));
  for (const double q : {0.5, 0.9, 0.99}) {
    absl::StrAppend(
        &row, PadLeft(Significant(ToMilliseconds(histogram.Quantile(q))), 9));
  }
  absl::StrAppend(&row,
                  PadLeft(Significant(ToMilliseconds(histogram.max())), 9),
                  PadLeft(Significant(ToMilliseconds(histogram.Mean())), 9),
                  "   ", meaning, "\n");
  return row;
}

std::string LatencyTable(const LoadPlan& plan, const LoadResult& result) {
  std::string text = absl::StrCat("  ", PadRight("ms", 16));
  for (const absl::string_view name : {"p50", "p90", "p99", "max", "mean"}) {
    absl::StrAppend(&text, PadLeft(name, 9));
  }
  absl::StrAppend(&text, "\n");
  if (plan.open) {
    absl::StrAppend(
        &text,
        HistogramRow("latency, OK", result.latency, "from when it was due"),
        HistogramRow("service, OK", result.service, "from when it was sent"));
  } else {
    absl::StrAppend(
        &text, HistogramRow("latency, OK", result.latency,
                            "from when it was sent: uncorrected, since a slow "
                            "answer delays the next call"));
  }
  if (result.failed > 0) {
    absl::StrAppend(&text,
                    HistogramRow("latency, failed", result.failed_latency,
                                 "until the failure"));
  }
  if (plan.open) {
    absl::StrAppend(&text,
                    HistogramRow("send lag", result.send_lag,
                                 absl::StrCat("sent after it was due; ",
                                              FormatPercent(LateRatio(result)),
                                              " later than 1 ms")));
  }
  return text;
}

Json HistogramJson(const Histogram& histogram) {
  Json json;
  json["count"] = histogram.count();
  json["p50"] = Rounded(ToMilliseconds(histogram.Quantile(0.5)), 3);
  json["p90"] = Rounded(ToMilliseconds(histogram.Quantile(0.9)), 3);
  json["p99"] = Rounded(ToMilliseconds(histogram.Quantile(0.99)), 3);
  json["max"] = Rounded(ToMilliseconds(histogram.max()), 3);
  json["mean"] = Rounded(ToMilliseconds(histogram.Mean()), 3);
  return json;
}

std::string ArrivalName(ArrivalKind kind) {
  return kind == ArrivalKind::kPoisson ? "poisson" : "constant";
}

Json PlanJson(const LoadPlan& plan, const LoadContext& context) {
  Json json;
  json["loop"] = plan.open ? "open" : "closed";
  if (plan.open) {
    json["rate_per_s"] = plan.rate;
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
  return json;
}

}  // namespace

std::string LoadHeadline(const LoadPlan& plan, const LoadContext& context) {
  std::string text;
  if (plan.open) {
    text = absl::StrCat(
        "open loop, ", Significant(plan.rate), " calls/s, ",
        plan.arrivals == ArrivalKind::kPoisson
            ? absl::StrCat("Poisson arrivals (seed ", plan.seed, ")")
            : "constant gaps");
  } else {
    text = absl::StrCat("closed loop, ", plan.concurrency,
                        plan.concurrency == 1 ? " caller" : " callers");
  }
  return absl::StrCat(text, ", ", FormatSeconds(ToSeconds(plan.duration)),
                      " after ", FormatSeconds(ToSeconds(plan.warmup)),
                      " of warm-up\n", Printable(context.model), " version ",
                      context.model_version, " at ", context.target, ", ",
                      context.payload, ", deadline ",
                      FormatMilliseconds(context.deadline_ms), "\n");
}

std::string LoadText(const LoadPlan& plan, const LoadContext& context,
                     const LoadResult& result) {
  std::string text = LoadHeadline(plan, context);
  absl::StrAppend(&text, "\n  ", PadRight("offered", 16),
                  PadLeft(Significant(OfferedPerSecond(plan, result)), 9),
                  " calls/s   ", WithThousands(result.planned), " calls");
  if (result.dropped > 0) {
    absl::StrAppend(&text, ", ", WithThousands(result.dropped),
                    " of them dropped: ", WithThousands(plan.max_in_flight),
                    " were in flight");
  }
  absl::StrAppend(&text, "\n  ", PadRight("achieved", 16),
                  PadLeft(Significant(AchievedPerSecond(plan, result)), 9),
                  " calls/s   ", WithThousands(Answered(result)), " OK, ",
                  WithThousands(result.failed), " failed\n\n",
                  LatencyTable(plan, result), "\n  ", PadRight("codes", 18));
  for (const auto& [code, count] : result.codes) {
    absl::StrAppend(&text, absl::StatusCodeToString(code), " ",
                    WithThousands(count), "   ");
  }
  text.erase(text.find_last_not_of(' ') + 1);
  absl::StrAppend(&text, "\n");
  // Not from a server that gives no receipts.
  if (const int64_t n = Answered(result); result.batch_sizes > 0) {
    absl::StrAppend(
        &text, "  ", PadRight("server, mean", 18), "queue ",
        FormatMilliseconds(ToMilliseconds(result.server_queue) / n),
        ", inference ",
        FormatMilliseconds(ToMilliseconds(result.server_inference) / n),
        ", a call rode in a batch of ",
        Significant(static_cast<double>(result.batch_sizes) / n), "\n");
  }
  return text;
}

std::string LoadJson(const LoadPlan& plan, const LoadContext& context,
                     const LoadResult& result) {
  const double answered = static_cast<double>(Answered(result));
  Json json;
  json["target"] = context.target;
  json["model"] = context.model;
  json["model_version"] = context.model_version;
  json["plan"] = PlanJson(plan, context);
  json["planned"] = result.planned;
  json["dropped"] = result.dropped;
  json["ok"] = Answered(result);
  json["failed"] = result.failed;
  json["codes"] = Json::object();
  for (const auto& [code, count] : result.codes) {
    json["codes"][absl::StatusCodeToString(code)] = count;
  }
  json["offered_per_s"] = Rounded(OfferedPerSecond(plan, result), 3);
  json["achieved_per_s"] = Rounded(AchievedPerSecond(plan, result), 3);
  json["latency_from"] = plan.open ? "due" : "sent";
  json["latency_ms"] = HistogramJson(result.latency);
  json["service_ms"] = HistogramJson(result.service);
  json["failed_latency_ms"] = HistogramJson(result.failed_latency);
  if (plan.open) {
    json["send_lag_ms"] = HistogramJson(result.send_lag);
    json["late_ratio"] = Rounded(LateRatio(result), 6);
  }
  json["kept_its_plan"] = KeptItsPlan(result);
  if (result.batch_sizes > 0) {
    json["server_mean"] = {
        {"queue_ms",
         Rounded(ToMilliseconds(result.server_queue) / answered, 3)},
        {"inference_ms",
         Rounded(ToMilliseconds(result.server_inference) / answered, 3)},
        {"batch_size",
         Rounded(static_cast<double>(result.batch_sizes) / answered, 3)}};
  }
  return ToPage(json) + "\n";
}

bool KeptItsPlan(const LoadResult& result) {
  return LateRatio(result) <= kMaxLateRatio;
}

}  // namespace groupmamba::client
