// load: how the server does under a given load, and what load it bears.

#include "client/command.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/load/analysis.h"
#include "client/load/baseline.h"
#include "client/load/options.h"
#include "client/load/report.h"
#include "client/load/session.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

// What a command has to say, and the exit code that it means.
struct Outcome {
  std::string text;
  Json json;
  int code = kExitOk;
};

int WriteFile(const Io& io, const std::string& path, const std::string& content,
              std::ios::openmode mode = std::ios::out) {
  std::ofstream file(path, mode);
  file << content << std::flush;
  if (file) return kExitOk;
  return Fail(io, kExitSomeFailed,
              absl::StrCat("the report could not be written to '",
                           Printable(path), "'"));
}

int Print(const LoadOptions& options, const Outcome& outcome, const Io& io) {
  const std::string json = ToPage(outcome.json) + "\n";
  *io.out << (options.json_file == "-" ? json : outcome.text);
  int written = kExitOk;
  if (!options.json_file.empty() && options.json_file != "-") {
    written = WriteFile(io, options.json_file, json);
  }
  if (written == kExitOk && !options.html_file.empty()) {
    written = WriteFile(io, options.html_file,
                        ReportHtml(outcome.json, outcome.text));
  }
  if (written == kExitOk && !options.junit_file.empty()) {
    written = WriteFile(io, options.junit_file, ReportJunit(outcome.json));
  }
  if (written == kExitOk && !options.summary_file.empty()) {
    // A job's other steps write there, too.
    written = WriteFile(io, options.summary_file, ReportMarkdown(outcome.json),
                        std::ios::app);
  }
  return written != kExitOk ? written : outcome.code;
}

// The files that come at the end are tried at the beginning: a long run must
// not be lost to a wrong name. Empty when all is well.
std::string CannotWrite(const LoadOptions& options) {
  for (const std::string& path : {options.json_file, options.html_file,
                                  options.junit_file, options.summary_file}) {
    if (path.empty() || path == "-") continue;
    if (!std::ofstream(path, std::ios::app)) {
      return absl::StrCat("load: '", Printable(path), "' cannot be written to");
    }
  }
  return "";
}

// Adds what changed since the baseline, if there is one.
void AddComparison(const std::optional<Json>& baseline, Outcome* outcome) {
  if (!baseline) return;
  outcome->json["baseline"] = Compare(*baseline, outcome->json);
  outcome->text += ComparisonText(outcome->json["baseline"]);
}

// The report of --baseline, read before anything is sent.
absl::StatusOr<std::optional<Json>> Baseline(const LoadOptions& options) {
  if (options.baseline_file.empty()) return std::nullopt;
  std::ifstream file(options.baseline_file);
  absl::StatusOr<Json> json = ReadBaseline(&file);
  if (json.ok()) return *std::move(json);
  return absl::InvalidArgumentError(
      absl::StrCat("load: --baseline: '", Printable(options.baseline_file),
                   "' ", json.status().message()));
}

int CodeOf(const LoadReport& report) {
  const LoadResult& result = report.result;
  if (report.objective && !Meets(*report.objective, result)) return kExitMissed;
  if (!WhyInvalid(report.plan, result).empty()) return kExitSomeFailed;
  return !report.objective && result.failed + result.dropped > 0
             ? kExitSomeFailed
             : kExitOk;
}

Outcome RunOnce(const LoadOptions& options, LoadSession* session,
                const Io& io) {
  std::ofstream journal;
  if (!options.journal_file.empty()) journal.open(options.journal_file);
  const LoadReport report = session->Run(
      options.plan, options.journal_file.empty() ? nullptr : &journal);
  Outcome outcome{LoadText(report), LoadJson(report), CodeOf(report)};
  if (!options.journal_file.empty() && !journal.flush()) {
    outcome.code = Fail(io, kExitSomeFailed,
                        absl::StrCat("the journal could not be written to '",
                                     Printable(options.journal_file), "'"));
  }
  return outcome;
}

Outcome RunSweep(const LoadOptions& options, LoadSession* session) {
  std::vector<LoadReport> reports;
  int code = kExitOk;
  for (const LoadPlan& plan : options.sweep) {
    reports.push_back(session->Run(plan));
    // Overload is what a sweep is there to show: failures are no failure.
    if (CodeOf(reports.back()) == kExitMissed) code = kExitMissed;
  }
  return {LoadHeadline(reports.front().plan, reports.front().context) +
              SweepText(reports),
          SweepJson(reports), code};
}

// A rate to begin with: half of what a few callers get through.
double FirstRate(const LoadOptions& options, LoadSession* session) {
  LoadPlan probe = options.plan;
  probe.open = false;
  probe.concurrency = 16;
  probe.warmup = std::chrono::milliseconds(500);
  probe.duration = std::chrono::seconds(2);
  const LoadReport report = session->Run(probe);
  return std::max(1.0, AchievedPerSecond(probe, report.result) / 2);
}

// As long as the plan, or up to six times as long until ten calls can lie
// beyond the rarest percentile.
Duration TrialDuration(const LoadPlan& plan, const Objective& objective,
                       double rate) {
  double rarest = 1;
  for (const LatencyGoal& goal : objective.latencies) {
    rarest = std::min(rarest, 1 - goal.quantile);
  }
  const double wanted = 10 / rarest / rate;
  return std::clamp(FromSeconds(std::min(wanted, 1e6)), plan.duration,
                    6 * plan.duration);
}

Outcome RunSearch(const LoadOptions& options, LoadSession* session,
                  const Io& io) {
  const Objective& objective = *options.objective;
  SearchOptions search;
  search.start = FirstRate(options, session);
  std::unique_ptr<LoadReport> best;
  LoadPlan plan = options.plan;
  plan.open = true;
  const SearchResult found = FindHighestRate(search, [&](double rate) {
    plan.rate = rate;
    plan.duration = TrialDuration(options.plan, objective, rate);
    ++plan.seed;  // the same calls again would prove nothing
    auto report = std::make_unique<LoadReport>(session->Run(plan));
    Trial trial = JudgeTrial(objective, rate, report->result);
    trial.client_limited = LateRatio(report->result) > kMaxLateRatio;
    if (io.err_is_terminal) {
      *io.err << Significant(rate) << " calls/s: " << trial.windows_met
              << " of " << trial.windows << " windows met the objective\n";
    }
    if (trial.met && !trial.client_limited &&
        (best == nullptr || rate >= best->plan.rate)) {
      best = std::move(report);
    }
    return trial;
  });
  if (best != nullptr && best->plan.rate != found.rate) best = nullptr;
  return {SearchText(objective, found, best.get()),
          SearchJson(objective, found, best.get()),
          found.rate > 0 ? kExitOk : kExitMissed};
}

int RunLoadCommand(const LoadOptions& options, const Io& io) {
  if (const std::string wrong = CannotWrite(options); !wrong.empty()) {
    return Fail(io, kExitWrongUsage, wrong);
  }
  const auto baseline = Baseline(options);
  if (!baseline.ok()) {
    return Fail(io, kExitWrongUsage, std::string(baseline.status().message()));
  }
  int code = kExitOk;
  const auto session = LoadSession::Open(options, io, &code);
  if (session == nullptr) return code;
  Outcome outcome =
      !options.find_slo_text.empty() ? RunSearch(options, session.get(), io)
      : !options.sweep.empty()       ? RunSweep(options, session.get())
                                     : RunOnce(options, session.get(), io);
  AddComparison(*baseline, &outcome);
  return Print(options, outcome, io);
}

}  // namespace

Command AddLoad(CLI::App* parent) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* app = parent->add_subcommand(
      "load",
      "Load test: latency, throughput and errors at a given load, or the load "
      "that an objective allows");
  AddLoadOptions(app, options.get());
  app->footer(
      "Examples:\n"
      "  groupmamba-client load --rate 200 --duration 30 photos/\n"
      "  groupmamba-client load --concurrency 8 --synthetic 640x480\n"
      "  groupmamba-client load --find-slo p99=50ms --html report.html "
      "photos/\n"
      "  groupmamba-client load --rate 50 --slo p99=50ms,errors=1% --json - "
      "cat.jpg | jq .latency_ms\n"
      "\n"
      "Nothing is retried unless --retries asks for it. Latencies of failures "
      "are kept apart\nfrom those of answers. Exit code 1 when a call failed "
      "or "
      "was dropped, or this machine\ncould not keep the rate up; with an "
      "objective, 3 when it was missed.");
  return {app, [app, options](const Io& io) -> int {
            const absl::Status finished = FinishOptions(*app, options.get());
            if (!finished.ok()) {
              return Fail(io, kExitWrongUsage,
                          absl::StrCat("load: ", finished.message()));
            }
            return RunLoadCommand(*options, io);
          }};
}

}  // namespace groupmamba::client
