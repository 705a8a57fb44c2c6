// What `load` prints and writes. Pure functions. docs/load-report.md describes
// the JSON.

#ifndef GROUPMAMBA_CLIENT_LOAD_REPORT_H_
#define GROUPMAMBA_CLIENT_LOAD_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/json.h"
#include "client/load/metrics_page.h"
#include "client/load/objective.h"
#include "client/load/runner.h"
#include "client/load/slo_search.h"
#include "client/plan/profile.h"

namespace groupmamba::client {

// What a report says about a run besides its figures.
struct LoadContext {
  std::string target;
  std::string model;          // as GetModel names it; several: "a=3,b=1"
  int64_t model_version = 0;  // 0: several models
  std::string payload;        // for example "12 pictures"
  int deadline_ms = 0;
  int connections = 1;
  int streams = 0;  // that carry the calls; 0: a call each
  bool retries = false;

  std::string command;  // the command line
  std::string started;  // the wall clock's time, in UTC
  std::string machine;  // processor, cores, system
};

// One run and all that belongs to it.
struct LoadReport {
  LoadPlan plan;
  LoadContext context;
  LoadResult result;
  std::optional<ServerActivity> server;
  std::optional<Profile> profile;  // of a single server and model
  std::optional<Objective> objective;
};

// The processor, its cores and the system of this machine, on one line.
std::string DescribeMachine();

// What is about to be done, on two lines.
std::string LoadHeadline(const LoadPlan& plan, const LoadContext& context);

std::string LoadText(const LoadReport& report);

// One run; of several, what is the same for all is left to SearchJson and
// SweepJson.
Json LoadJson(const LoadReport& report);

// A search for the highest rate. `best` is the run at that rate, null where no
// rate met the objective.
std::string SearchText(const Objective& objective, const SearchResult& search,
                       const LoadReport* best);
Json SearchJson(const Objective& objective, const SearchResult& search,
                const LoadReport* best);

// Several runs of different load, in order; at least one.
std::string SweepText(const std::vector<LoadReport>& reports);
Json SweepJson(const std::vector<LoadReport>& reports);

// The JSON of any of these as one page that needs nothing else; `text` is shown
// where no script runs.
std::string ReportHtml(const Json& json, const std::string& text);

// The JSON of any of these as a JUnit test suite: a case for each goal of the
// objective (without one: that no call fails), and one that the run is valid.
std::string ReportJunit(const Json& json);

// The same cases and the main figures of each run as tables in Markdown, for
// the page that GitHub shows of a job.
std::string ReportMarkdown(const Json& json);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_REPORT_H_
