// The command line of `load`.

#ifndef GROUPMAMBA_CLIENT_LOAD_OPTIONS_H_
#define GROUPMAMBA_CLIENT_LOAD_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/connection.h"
#include "client/load/objective.h"
#include "client/load/runner.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::client {

// A model, and how often it is called beside the others.
struct WeightedModel {
  std::string name;  // empty: the server's default
  double weight = 1;
};

struct LoadOptions {
  // As given.
  ConnectionOptions connection;
  std::string models_text;
  int64_t model_version = 0;
  LoadPlan plan;
  double duration_s = 10;
  double warmup_s = 1;
  int deadline_ms = 1000;
  int connections = 1;
  int streams = 0;  // 0: a call each
  v1::Priority priority = v1::PRIORITY_UNSPECIFIED;
  bool v2 = false;  // the V2 inference protocol instead of ours
  std::string synthetic;
  bool raw = false;
  std::vector<std::string> paths;
  std::string trace_file;
  std::string slo_text;
  std::string find_slo_text;
  std::string sweep_text;
  std::string metrics;
  std::string json_file;
  std::string html_file;
  std::string junit_file;
  std::string summary_file;
  std::string journal_file;
  std::string baseline_file;

  // What follows from it; FinishOptions sets it.
  std::vector<WeightedModel> models;
  std::optional<Objective> objective;  // of --slo or --find-slo
  std::vector<LoadPlan> sweep;         // the runs of --sweep, in order
  std::vector<std::string> metrics_addresses;
  bool default_metrics = false;  // they are a guess: none need answer
};

// Declares the options of `load`; `options` outlives the app.
void AddLoadOptions(CLI::App* app, LoadOptions* options);

// Checks what the validators cannot, reads the trace, and fills in what
// follows. INVALID_ARGUMENT, with a sentence for the user.
absl::Status FinishOptions(const CLI::App& app, LoadOptions* options);

// "a=3,b=1" or "a".
absl::StatusOr<std::vector<WeightedModel>> ParseModels(absl::string_view text);

// The loads of "rate=10,20,50", "rate=10:50:10" or "concurrency=1,2,4", each a
// copy of `plan`; at most 100.
absl::StatusOr<std::vector<LoadPlan>> ParseSweep(absl::string_view text,
                                                 const LoadPlan& plan);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_OPTIONS_H_
