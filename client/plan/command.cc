// plan: how many servers a load needs, by simulation.

#include "client/command.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/json.h"
#include "client/plan/profile.h"
#include "client/plan/replicas.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

struct PlanOptions {
  std::string profile_file;
  std::string model;
  std::string slo;
  double rate = 0;
  int replicas = 0;  // 0: find how many
  int deadline_ms = 1000;
  int calls = 50'000;
  uint64_t seed = 1;
  bool json = false;
};

absl::StatusOr<std::string> ReadAll(const std::string& path,
                                    std::istream* standard_input) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? *standard_input : file;
  std::string text((std::istreambuf_iterator<char>(in)),
                   std::istreambuf_iterator<char>());
  if (!in && text.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--profile: '", Printable(path), "' cannot be read"));
  }
  return text;
}

// The fraction of all calls.
double Answered(const SimulatedResult& result) {
  const auto answers = static_cast<double>(result.latency.count());
  return answers / (answers + static_cast<double>(result.lost));
}

Json ResultJson(const PlanOptions& options, const Replicas& replicas,
                bool holds) {
  const SimulatedResult& each = replicas.each;
  Json json;
  json["rate_per_s"] = options.rate;
  json["replicas"] = replicas.count;
  json["holds"] = holds;
  json["answered_per_s"] =
      Rounded(each.answered_per_s * std::max(replicas.count, 1), 1);
  json["answered"] = Rounded(Answered(each), 5);
  json["p50_ms"] = Rounded(ToMilliseconds(each.latency.Quantile(0.5)), 3);
  json["p99_ms"] = Rounded(ToMilliseconds(each.latency.Quantile(0.99)), 3);
  json["batch_size"] = Rounded(each.batch_size, 2);
  json["busy"] = Rounded(each.busy, 4);
  return json;
}

std::string ResultText(const PlanOptions& options, const Replicas& replicas) {
  const SimulatedResult& each = replicas.each;
  const std::string head =
      replicas.count == 0
          ? absl::StrCat("not even ", WithThousands(kMostReplicas),
                         " servers hold it, each with ",
                         Significant(options.rate / kMostReplicas),
                         " calls/s\n")
          : absl::StrCat(
                WithThousands(replicas.count),
                replicas.count == 1 ? " server" : " servers", ", each with ",
                Significant(options.rate / replicas.count), " calls/s\n");
  return absl::StrCat(
      head, "  p50 ",
      FormatMilliseconds(ToMilliseconds(each.latency.Quantile(0.5))), ", p99 ",
      FormatMilliseconds(ToMilliseconds(each.latency.Quantile(0.99))), "; ",
      FormatPercent(Answered(each)), " answered in time\n  batches of ",
      Significant(each.batch_size), " on average; the model is busy ",
      FormatPercent(each.busy), " of the time\n");
}

int RunPlan(const PlanOptions& options, const Io& io) {
  const auto text = ReadAll(options.profile_file, io.in);
  const absl::StatusOr<Profile> profile =
      text.ok() ? ParseProfile(*text, options.model) : text.status();
  const auto objective = ParseObjective(options.slo);
  for (const absl::Status& status :
       {profile.ok() ? absl::OkStatus() : profile.status(),
        objective.ok() ? absl::OkStatus() : objective.status()}) {
    if (!status.ok()) {
      return Fail(io, kExitWrongUsage,
                  absl::StrCat("plan: ", std::string(status.message())));
    }
  }
  const SimulatedLoad load = {
      .rate = options.rate,
      .deadline = std::chrono::milliseconds(options.deadline_ms),
      .calls = options.calls,
      .seed = options.seed};
  const Replicas replicas =
      options.replicas == 0 ? FindReplicas(*profile, load, *objective)
                            : Replicas{.count = options.replicas,
                                       .each = SimulateReplicas(
                                           *profile, load, options.replicas)};
  const bool holds = Holds(*objective, replicas.each);
  if (options.json) {
    *io.out << ToLine(ResultJson(options, replicas, holds)) << "\n";
  } else {
    *io.out << ResultText(options, replicas);
  }
  return holds ? kExitOk : kExitMissed;
}

}  // namespace

Command AddPlan(CLI::App* parent) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* app = parent->add_subcommand(
      "plan", "How many servers a load needs, from measured times");
  app->add_option("--profile", options->profile_file,
                  "What was measured: a server's metrics page after some load, "
                  "or JSON with batch_ms; - for standard input")
      ->type_name("FILE")
      ->required();
  app->add_option("--model", options->model,
                  "Which model of the metrics page; needed with several only")
      ->type_name("NAME");
  app->add_option(
         "--slo", options->slo,
         "What is wanted: p99=50ms, or p99=50ms,p99.9=200ms,errors=0.1% "
         "(as many by default)")
      ->type_name("OBJECTIVE")
      ->required();
  app->add_option("--rate", options->rate,
                  "Calls a second, of all servers together, from independent "
                  "users; 0.001 to 10000000")
      ->type_name("R")
      ->check(CLI::Range(0.001, 1e7))
      ->required();
  app->add_option("--replicas", options->replicas,
                  "Do not search: predict for so many servers; 1 to 100000")
      ->type_name("N")
      ->check(CLI::Range(1, kMostReplicas));
  app->add_option("--calls", options->calls,
                  "Calls to simulate for each guess; 100 to 10000000")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(100, 10'000'000));
  app->add_option("--seed", options->seed, "Of the simulated arrivals")
      ->capture_default_str()
      ->type_name("N");
  app->add_flag("--json", options->json, "One JSON object");
  AddDeadlineOption(app, &options->deadline_ms);
  app->footer(
      "Examples:\n"
      "  curl -s gpu-3:8002/metrics | groupmamba-client plan --profile - \\\n"
      "    --slo p99=50ms --rate 20000\n"
      "  groupmamba-client plan --profile report.json --slo p99=50ms --rate "
      "900 "
      "--replicas 3\n"
      "\n"
      "Simulates the servers' own batch policy and admission. The load is "
      "taken "
      "to be spread\nevenly. Exit code 3 when the objective is missed.");
  return {app, [options](const Io& io) { return RunPlan(*options, io); }};
}

}  // namespace groupmamba::client
