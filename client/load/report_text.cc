// The report for a person at a terminal.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/load/analysis.h"
#include "client/load/report.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

std::string Line(absl::string_view name, absl::string_view value,
                 absl::string_view rest) {
  return absl::StrCat("  ", PadRight(name, 16), PadLeft(value, 9), " ", rest,
                      "\n");
}

std::string Ms(Duration time) { return Significant(ToMilliseconds(time)); }

std::string HistogramRow(absl::string_view name, const Histogram& histogram,
                         const std::vector<NamedQuantile>& columns,
                         absl::string_view meaning) {
  const size_t told = ToldQuantiles(histogram).size();
  std::string row = absl::StrCat("  ", PadRight(name, 16));
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string value =
        i < told ? Ms(histogram.Quantile(columns[i].quantile)) : "-";
    absl::StrAppend(&row, PadLeft(value, 9));
  }
  absl::StrAppend(&row, PadLeft(Ms(histogram.max()), 9),
                  PadLeft(Ms(histogram.Mean()), 9), "   ", meaning, "\n");
  return row;
}

std::string LatencyTable(const LoadPlan& plan, const LoadResult& result) {
  const std::vector<NamedQuantile> columns = ToldQuantiles(result.latency);
  std::string text = absl::StrCat("  ", PadRight("ms", 16));
  for (const NamedQuantile& column : columns) {
    absl::StrAppend(&text, PadLeft(column.name, 9));
  }
  absl::StrAppend(&text, PadLeft("max", 9), PadLeft("mean", 9), "\n");
  const auto row = [&](absl::string_view name, const Histogram& histogram,
                       absl::string_view meaning) {
    absl::StrAppend(&text, HistogramRow(name, histogram, columns, meaning));
  };
  if (plan.open) {
    row("latency, OK", result.latency, "from when it was due");
    row("service, OK", result.service, "from when it was sent");
  } else {
    row("latency, OK", result.latency,
        "from when it was sent: uncorrected, since a slow answer delays the "
        "next call");
  }
  if (result.failed > 0) {
    row("latency, failed", result.failed_latency, "until the failure");
  }
  if (plan.open) {
    row("send lag", result.send_lag,
        absl::StrCat("sent after it was due; ",
                     FormatPercent(LateRatio(result)), " later than ",
                     ToMilliseconds(LoadResult::kLate), " ms"));
  }
  return text;
}

std::string CodesLine(const LoadResult& result) {
  std::string text = absl::StrCat("  ", PadRight("codes", 18));
  for (const auto& [code, count] : result.codes) {
    absl::StrAppend(&text, absl::StatusCodeToString(code), " ",
                    WithThousands(count), "   ");
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string TimeText(const LoadReport& report) {
  const ServerActivity* server =
      report.server.has_value() ? &*report.server : nullptr;
  const std::vector<TimeRow> rows = TimeTable(report.result, server);
  if (rows.empty()) return "";
  std::string text =
      absl::StrCat("\n  ", PadRight("where the time went", 28),
                   PadLeft("mean ms", 9), PadLeft("share", 9),
                   server != nullptr ? "   by the server's page" : "", "\n");
  for (const TimeRow& row : rows) {
    absl::StrAppend(
        &text, "  ", PadRight(std::string(2 * row.depth, ' ') + row.name, 28),
        PadLeft(Significant(row.ms), 9), PadLeft(FormatPercent(row.share), 9),
        row.page_ms ? PadLeft(Significant(*row.page_ms), 13) : "", "\n");
  }
  return text;
}

std::string Counts(const std::map<std::string, double>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    if (count <= 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", Printable(name), " ",
                    WithThousands(std::llround(count)));
  }
  return text.empty() ? "none" : text;
}

std::string ServerText(const LoadReport& report) {
  std::string text;
  const Receipts& receipts = report.result.receipts;
  if (receipts.count > 0) {
    absl::StrAppend(&text, "\n  ", PadRight("batches", 18),
                    "a call rode in a batch of ",
                    Significant(static_cast<double>(receipts.batch_sizes) /
                                static_cast<double>(receipts.count)));
    if (report.server && report.server->batches > 0) {
      absl::StrAppend(
          &text, "; ", WithThousands(std::llround(report.server->batches)),
          " batches of ",
          Significant(report.server->images / report.server->batches),
          " on average; started: ", Counts(report.server->dispatch));
    }
    text += "\n";
  }
  if (report.server) {
    absl::StrAppend(
        &text, "  ", PadRight("server refused", 18),
        Counts(report.server->refused), "\n  ", PadRight("server used", 18),
        Significant(report.server->cpu_seconds /
                    ToSeconds(report.plan.duration)),
        " cores, ", Significant(report.server->resident_bytes / 1e6),
        " MB of memory\n");
  }
  return text;
}

std::string ObjectiveText(const LoadReport& report) {
  std::string text;
  for (const GoalOutcome& goal : Judge(*report.objective, report.result)) {
    const bool errors = goal.name == "errors";
    absl::StrAppend(
        &text, text.empty() ? "\n  objective         " : ", ", goal.name, " ",
        errors ? FormatPercent(goal.value) : FormatMilliseconds(goal.value),
        goal.met ? " <= " : " > ",
        errors ? absl::StrCat(100 * goal.limit, " %")
               : FormatMilliseconds(goal.limit));
  }
  return absl::StrCat(
      text, Meets(*report.objective, report.result) ? ": met" : ": MISSED",
      "\n");
}

// "200 calls/s" or "8 callers".
std::string LoadName(const LoadPlan& plan) {
  if (plan.open) {
    if (plan.arrivals == ArrivalKind::kTrace) return "a recorded trace";
    return absl::StrCat(
        Significant(plan.rate),
        plan.ramp_to > 0 ? absl::StrCat(" to ", Significant(plan.ramp_to)) : "",
        " calls/s");
  }
  return absl::StrCat(plan.concurrency,
                      plan.concurrency == 1 ? " caller" : " callers");
}

std::string ArrivalsName(const LoadPlan& plan) {
  switch (plan.arrivals) {
    case ArrivalKind::kConstant:
      return ", constant gaps";
    case ArrivalKind::kPoisson:
      return absl::StrCat(", Poisson arrivals (seed ", plan.seed, ")");
    case ArrivalKind::kTrace:
      return "";
  }
  return "";
}

}  // namespace

std::string LoadHeadline(const LoadPlan& plan, const LoadContext& context) {
  return absl::StrCat(
      plan.open ? "open loop, " : "closed loop, ", LoadName(plan),
      plan.open ? ArrivalsName(plan) : "", ", ",
      FormatSeconds(ToSeconds(plan.duration)), " after ",
      FormatSeconds(ToSeconds(plan.warmup)), " of warm-up\n",
      Printable(context.model),
      context.model_version > 0
          ? absl::StrCat(" version ", context.model_version)
          : "",
      " at ", context.target, ", ", context.payload, ", deadline ",
      FormatMilliseconds(context.deadline_ms),
      context.connections > 1
          ? absl::StrCat(", ", context.connections, " connections")
          : "",
      context.streams > 0 ? absl::StrCat(", ", context.streams, " streams")
                          : "",
      context.retries ? ", with retries" : "", "\n");
}

std::string LoadText(const LoadReport& report) {
  const LoadPlan& plan = report.plan;
  const LoadResult& result = report.result;
  std::string text = absl::StrCat(LoadHeadline(plan, report.context), "\n");
  std::string calls =
      absl::StrCat("calls/s   ", WithThousands(result.planned), " calls");
  if (result.dropped > 0) {
    absl::StrAppend(&calls, ", ", WithThousands(result.dropped),
                    " of them dropped: ", WithThousands(plan.max_in_flight),
                    " were in flight");
  }
  absl::StrAppend(
      &text,
      Line("offered", Significant(OfferedPerSecond(plan, result)), calls),
      Line("achieved", Significant(AchievedPerSecond(plan, result)),
           absl::StrCat("calls/s   ", WithThousands(result.ok()), " OK, ",
                        WithThousands(result.failed), " failed")));
  if (report.objective) {
    const Objective& objective = *report.objective;
    absl::StrAppend(
        &text,
        Line("goodput", Significant(GoodputPerSecond(plan, result, objective)),
             absl::StrCat(
                 "calls/s   OK within ",
                 FormatMilliseconds(ToMilliseconds(objective.Limit())))));
  }
  absl::StrAppend(&text, "\n", LatencyTable(plan, result), "\n",
                  CodesLine(result), TimeText(report), ServerText(report));
  if (report.objective) text += ObjectiveText(report);
  for (const std::string& reason : WhyInvalid(plan, result)) {
    absl::StrAppend(&text, "\n  INVALID: ", reason, ".\n");
  }
  return text;
}

std::string SearchText(const Objective& objective, const SearchResult& search,
                       const LoadReport* best) {
  std::string text =
      absl::StrCat("\n  ", PadLeft("calls/s", 9), "   windows that met ",
                   ToString(objective), "\n");
  for (const Trial& trial : search.trials) {
    absl::StrAppend(
        &text, "  ", PadLeft(Significant(trial.rate), 9), "   ",
        trial.windows_met, " of ", trial.windows, "   ",
        trial.client_limited ? "this machine could not offer the rate"
        : trial.met          ? "met"
                             : "missed",
        trial.stable || trial.client_limited ? "" : ", unstable: asked again",
        "\n");
  }
  if (best == nullptr) return text + "\n  no rate met the objective\n";
  absl::StrAppend(&text, "\n  highest rate      ", Significant(search.rate),
                  " calls/s");
  if (search.high > 0) {
    absl::StrAppend(&text, ", between ", Significant(search.low), " and ",
                    Significant(search.high), " (95 %)");
  }
  return absl::StrCat(
      text, "\n",
      search.client_limited
          ? "                    the end is this machine's, not the server's\n"
          : "",
      "\n", LoadText(*best));
}

std::string SweepText(const std::vector<LoadReport>& reports) {
  std::string text = absl::StrCat(
      "\n  ", PadLeft("load", 20), PadLeft("offered", 10),
      PadLeft("achieved", 10), PadLeft("p50 ms", 9), PadLeft("p99 ms", 9),
      PadLeft("max ms", 9), PadLeft("errors", 9), PadLeft("batch", 8), "\n");
  for (const LoadReport& report : reports) {
    const LoadResult& result = report.result;
    const Receipts& receipts = result.receipts;
    absl::StrAppend(
        &text, "  ", PadLeft(LoadName(report.plan), 20),
        PadLeft(Significant(OfferedPerSecond(report.plan, result)), 10),
        PadLeft(Significant(AchievedPerSecond(report.plan, result)), 10),
        PadLeft(Ms(result.latency.Quantile(0.5)), 9),
        PadLeft(Ms(result.latency.Quantile(0.99)), 9),
        PadLeft(Ms(result.latency.max()), 9),
        PadLeft(WithThousands(result.failed + result.dropped), 9),
        PadLeft(receipts.count == 0
                    ? "-"
                    : Significant(static_cast<double>(receipts.batch_sizes) /
                                  static_cast<double>(receipts.count)),
                8),
        WhyInvalid(report.plan, result).empty() ? "" : "  INVALID", "\n");
  }
  return text;
}

}  // namespace groupmamba::client
