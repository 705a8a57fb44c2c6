#include "client/load/options.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "client/command.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr char kLoadGroup[] = "Load (one of the first five)";
constexpr char kCallGroup[] = "Calls";
constexpr char kReportGroup[] = "Report";

void AddLoadKinds(CLI::App* app, LoadOptions* options) {
  LoadPlan* plan = &options->plan;
  const std::vector<CLI::Option*> kinds = {
      app->add_option(
             "--rate", plan->rate,
             "Open loop: so many calls a second, whether or not earlier ones "
             "are answered; the latency counts from when a call was due; 0.001 "
             "to 1000000")
          ->type_name("R")
          ->check(CLI::Range(0.001, 1e6)),
      app->add_option(
             "--concurrency", plan->concurrency,
             "Closed loop: so many callers, each sends again when it has its "
             "answer; 1 to 10000")
          ->type_name("N")
          ->check(CLI::Range(1, 10000)),
      app->add_option(
             "--trace", options->trace_file,
             "Open loop at the times of a file: seconds since the start, one a "
             "line, or a journal of an earlier run")
          ->type_name("FILE"),
      app->add_option(
             "--find-slo", options->find_slo_text,
             "Search for the highest rate that meets the objective, by runs of "
             "--duration each: p99=50ms, or p99=50ms,p99.9=200ms,errors=0.1%")
          ->type_name("OBJECTIVE"),
      app->add_option("--sweep", options->sweep_text,
                      "One run of --duration for each of rate=10,20,50, or "
                      "rate=10:50:10 (from, to, step), or concurrency=1,2,4")
          ->type_name("LOADS")};
  for (CLI::Option* kind : kinds) {
    kind->group(kLoadGroup);
    for (CLI::Option* other : kinds) {
      if (other != kind) kind->excludes(other);
    }
  }
}

void AddPlanOptions(CLI::App* app, LoadOptions* options) {
  LoadPlan* plan = &options->plan;
  app->add_option(
         "--ramp-to", plan->ramp_to,
         "With --rate: go in a straight line from it to this rate; 0: do not")
      ->type_name("R")
      ->check(CLI::Range(0.0, 1e6))
      ->group(kLoadGroup);
  app->add_option(
         "--arrivals", plan->arrivals,
         "Open loop: poisson, as many users together make, or constant "
         "gaps")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ArrivalKind>{
          {"poisson", ArrivalKind::kPoisson},
          {"constant", ArrivalKind::kConstant}}))
      ->default_str("poisson")
      ->type_name("KIND")
      ->group(kLoadGroup);
  app->add_option("--max-in-flight", plan->max_in_flight,
                  "Open loop: calls without an answer; one that is due beyond "
                  "that is dropped and counted; 1 to 1000000")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1000000))
      ->group(kLoadGroup);
  app->add_option("--duration", options->duration_s,
                  "How long to measure, in seconds; 0.001 to 86400 (default: "
                  "10; with --trace: up to its last call)")
      ->type_name("S")
      ->check(CLI::Range(0.001, 86400.0))
      ->group(kLoadGroup);
  app->add_option(
         "--warmup", options->warmup_s,
         "How long to send before that without measuring, in seconds; 0 "
         "to 3600")
      ->capture_default_str()
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0))
      ->group(kLoadGroup);
  app->add_option("--seed", plan->seed,
                  "Of the Poisson arrivals, the made picture, and which model "
                  "is called")
      ->capture_default_str()
      ->type_name("N")
      ->group(kLoadGroup);
}

void AddCallOptions(CLI::App* app, LoadOptions* options) {
  app->add_option("--synthetic", options->synthetic,
                  "Instead of PATH: a made JPEG of this size in pixels, or "
                  "several sizes with commas between")
      ->type_name("WxH")
      ->group(kCallGroup);
  app->add_flag("--raw", options->raw,
                "With --synthetic: raw RGB in place of a JPEG")
      ->group(kCallGroup);
  app->add_option("--model", options->models_text,
                  "The model's name (default: the server's own choice), or "
                  "several with weights: a=3,b=1")
      ->type_name("NAME")
      ->group(kCallGroup);
  app->add_option("--model-version", options->model_version,
                  "The model's version (default: the highest)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max()))
      ->group(kCallGroup);
  app->add_option("--protocol", options->v2,
                  "grpc, this server's own, or v2, the open inference protocol "
                  "of Triton, OVMS and KServe")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, bool>{{"grpc", false}, {"v2", true}}))
      ->default_str("grpc")
      ->type_name("KIND")
      ->group(kCallGroup);
  app->add_option("--priority", options->priority,
                  "Which calls the server takes first: high, normal, low")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, v1::Priority>{{"high", v1::PRIORITY_HIGH},
                                              {"normal", v1::PRIORITY_NORMAL},
                                              {"low", v1::PRIORITY_LOW}}))
      ->type_name("KIND")
      ->group(kCallGroup);
  app->add_option("--connections", options->connections,
                  "Connections to the server, used in turn; 1 to 1000")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->group(kCallGroup);
  app->add_option("--stream", options->streams,
                  "Send the calls as items of so many streams, which share the "
                  "connections, instead of a call each; 1 to 1000; 0: do not")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(0, 1000))
      ->group(kCallGroup);
  app->add_flag("--retries", options->connection.retries,
                "Retry UNAVAILABLE and RESOURCE_EXHAUSTED, at most five "
                "attempts a call; a retried call counts as one")
      ->group(kCallGroup);
}

void AddReportOptions(CLI::App* app, LoadOptions* options) {
  app->add_option("--slo", options->slo_text,
                  "An objective, as --find-slo takes it: exit code 3 where the "
                  "run misses it")
      ->type_name("OBJECTIVE")
      ->group(kReportGroup);
  app->add_option("--json", options->json_file,
                  "Write the report as JSON too; - for standard output instead "
                  "of the text")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--html", options->html_file,
                  "Write the report as a page with charts, which opens offline")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--junit", options->junit_file,
                  "Write whether the objective was met as JUnit's XML")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--github-summary", options->summary_file,
                  "Append the result as Markdown, for the page that GitHub "
                  "shows of a job: --github-summary \"$GITHUB_STEP_SUMMARY\"")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--baseline", options->baseline_file,
                  "Compare with the JSON of an earlier run")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--journal", options->journal_file,
                  "Write one line for each call, as CSV")
      ->type_name("FILE")
      ->group(kReportGroup);
  app->add_option("--metrics", options->metrics,
                  "The server's metrics page, HOST:PORT, or several with "
                  "commas between; none: do without (default: port 8002 of a "
                  "target on port 8001)")
      ->type_name("ADDRESS")
      ->group(kReportGroup);
}

// So that `--json cat.jpg` cannot overwrite the picture.
absl::Status CheckFile(absl::string_view option, const std::string& file,
                       absl::string_view extension, bool dash) {
  if (file.empty() || (dash && file == "-") ||
      absl::EndsWith(file, extension)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      option, " takes ", dash ? "- or " : "", "a file name that ends in ",
      extension, ", not '", Printable(file), "'"));
}

absl::Status CheckFiles(const LoadOptions& options) {
  GM_RETURN_IF_ERROR(CheckFile("--json", options.json_file, ".json", true));
  GM_RETURN_IF_ERROR(CheckFile("--html", options.html_file, ".html", false));
  GM_RETURN_IF_ERROR(CheckFile("--junit", options.junit_file, ".xml", false));
  return CheckFile("--journal", options.journal_file, ".csv", false);
}

absl::Status ReadTraceFile(bool duration_given, LoadOptions* options) {
  std::ifstream file(options->trace_file);
  absl::StatusOr<Trace> trace = ReadTrace(&file);
  if (!trace.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--trace: '", Printable(options->trace_file), "' ",
                     trace.status().message()));
  }
  if (!duration_given) {
    // The last call is due just before the end.
    const double end = ToSeconds(trace->back()) + 1e-6;
    options->duration_s = std::max(1e-3, end - options->warmup_s);
  }
  options->plan.arrivals = ArrivalKind::kTrace;
  options->plan.trace = std::make_shared<const Trace>(*std::move(trace));
  return absl::OkStatus();
}

// The pages of the targets that are where a server is by default.
std::vector<std::string> GuessMetrics(const std::string& target) {
  std::vector<std::string> addresses;
  for (absl::string_view one : absl::StrSplit(target, ',')) {
    if (absl::ConsumeSuffix(&one, ":8001") && !absl::StrContains(one, "/")) {
      addresses.push_back(absl::StrCat(one, ":8002"));
    }
  }
  return addresses;
}

}  // namespace

absl::StatusOr<std::vector<WeightedModel>> ParseModels(absl::string_view text) {
  std::vector<WeightedModel> models;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> sides =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    WeightedModel model{.name = std::string(sides[0])};
    if ((sides.size() == 2 && (!absl::SimpleAtod(sides[1], &model.weight) ||
                               !(model.weight > 0 && model.weight <= 1e9))) ||
        (model.name.empty() && !text.empty())) {
      return absl::InvalidArgumentError(
          absl::StrCat("--model: '", Printable(part),
                       "' is no NAME or NAME=WEIGHT, such as a=3,b=1"));
    }
    models.push_back(std::move(model));
  }
  return models;
}

absl::StatusOr<std::vector<LoadPlan>> ParseSweep(absl::string_view text,
                                                 const LoadPlan& plan) {
  constexpr size_t kMaxRuns = 100;
  const absl::Status wrong = absl::InvalidArgumentError(absl::StrCat(
      "--sweep: '", Printable(text),
      "' is none of rate=10,20,50, rate=10:50:10 and concurrency=1,2,4, of at "
      "most 100 loads"));
  const std::vector<absl::string_view> sides =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (sides.size() != 2 || (sides[0] != "rate" && sides[0] != "concurrency")) {
    return wrong;
  }
  const bool open = sides[0] == "rate";
  const bool range = absl::StrContains(sides[1], ':');
  std::vector<double> values;
  for (const absl::string_view part :
       absl::StrSplit(sides[1], range ? ':' : ',')) {
    double value = 0;
    if (!absl::SimpleAtod(part, &value) || !(value > 0 && value <= 1e6)) {
      return wrong;
    }
    values.push_back(value);
  }
  if (range) {
    if (values.size() != 3 || values[1] < values[0]) return wrong;
    const double from = values[0];
    const double steps = std::floor((values[1] - from) / values[2] + 1e-9);
    if (steps >= kMaxRuns) return wrong;
    const double step = values[2];
    values.clear();
    for (int i = 0; i <= static_cast<int>(steps); ++i) {
      values.push_back(from + i * step);
    }
  }
  if (values.size() > kMaxRuns) return wrong;
  std::vector<LoadPlan> plans;
  for (const double value : values) {
    if (!open && (value > 10000 || value != std::floor(value))) return wrong;
    LoadPlan run = plan;
    run.open = open;
    run.rate = value;
    run.concurrency = open ? 1 : static_cast<int>(value);
    plans.push_back(run);
  }
  return plans;
}

void AddLoadOptions(CLI::App* app, LoadOptions* options) {
  options->connection.retries = false;  // a retry would hide what is measured
  app->add_option("PATH", options->paths,
                  "Pictures or folders of them; sent in turn, over and over");
  AddLoadKinds(app, options);
  AddPlanOptions(app, options);
  AddCallOptions(app, options);
  AddConnectionOptions(app, &options->connection);
  AddDeadlineOption(app, &options->deadline_ms);
  AddReportOptions(app, options);
}

absl::Status FinishOptions(const CLI::App& app, LoadOptions* options) {
  const auto given = [&app](const char* name) { return app.count(name) > 0; };
  if (!given("--rate") && !given("--concurrency") && !given("--trace") &&
      !given("--find-slo") && !given("--sweep")) {
    return absl::InvalidArgumentError(
        "give --rate or --trace (open loop), --concurrency (closed loop), "
        "--find-slo or --sweep");
  }
  if (options->synthetic.empty() == options->paths.empty()) {
    return absl::InvalidArgumentError(
        "give either PATH... or --synthetic WIDTHxHEIGHT");
  }
  if (options->v2 && options->priority != v1::PRIORITY_UNSPECIFIED) {
    return absl::InvalidArgumentError("--priority goes with --protocol grpc");
  }
  if (options->streams > 0 && options->connection.retries) {
    return absl::InvalidArgumentError(
        "--retries goes with calls, not with --stream");
  }
  if (options->plan.ramp_to > 0 && !given("--rate")) {
    return absl::InvalidArgumentError("--ramp-to goes with --rate");
  }
  const bool several = given("--find-slo") || given("--sweep");
  if (given("--sweep") && !options->baseline_file.empty()) {
    return absl::InvalidArgumentError(
        "--baseline takes one run or a search, not --sweep");
  }
  if (several && !options->journal_file.empty()) {
    return absl::InvalidArgumentError(
        "--journal takes one run, not --find-slo or --sweep");
  }
  GM_RETURN_IF_ERROR(CheckFiles(*options));
  if (given("--trace")) {
    GM_RETURN_IF_ERROR(ReadTraceFile(given("--duration"), options));
  }
  options->plan.open = given("--rate") || given("--trace");
  options->plan.duration = FromSeconds(options->duration_s);
  options->plan.warmup = FromSeconds(options->warmup_s);
  GM_ASSIGN_OR_RETURN(options->models, ParseModels(options->models_text));
  const std::string& objective =
      given("--find-slo") ? options->find_slo_text : options->slo_text;
  if (!objective.empty() || given("--find-slo") || given("--slo")) {
    GM_ASSIGN_OR_RETURN(options->objective, ParseObjective(objective));
  }
  if (given("--sweep")) {
    GM_ASSIGN_OR_RETURN(options->sweep,
                        ParseSweep(options->sweep_text, options->plan));
  }
  options->default_metrics = options->metrics.empty();
  if (options->default_metrics) {
    options->metrics_addresses = GuessMetrics(options->connection.target);
  } else if (options->metrics != "none") {
    options->metrics_addresses = absl::StrSplit(options->metrics, ',');
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::client
