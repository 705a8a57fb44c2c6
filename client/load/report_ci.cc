// The report as continuous integration shows it: JUnit's XML, and Markdown for
// GitHub's page of a job.

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/load/report.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

struct Case {
  std::string name;
  std::string failure;  // empty: passed
};

std::string ForXml(const std::string& text) {
  return absl::StrReplaceAll(
      Printable(text),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// For a cell of a table, where nothing is to be taken for markup.
std::string ForMarkdown(const std::string& text) {
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"},
                                               {"<", "&lt;"},
                                               {"|", "\\|"},
                                               {"`", "\\`"},
                                               {"*", "\\*"},
                                               {"_", "\\_"},
                                               {"[", "\\["}});
}

// The goals of a run's objective, or that no call failed; and that the run was
// valid.
void AddRun(const Json& run, const std::string& prefix,
            std::vector<Case>* cases) {
  if (run.contains("objective")) {
    for (const Json& goal : run["objective"]["goals"]) {
      const bool errors = goal["name"] == "errors";
      const Json& value = goal[errors ? "ratio" : "ms"];
      const Json& limit = goal[errors ? "limit_ratio" : "limit_ms"];
      cases->push_back(
          {absl::StrCat(prefix, goal["name"].get<std::string>(), " is at most ",
                        ToLine(limit), errors ? "" : " ms"),
           goal["met"] == true
               ? ""
               : absl::StrCat("it is ", ToLine(value), errors ? "" : " ms")});
    }
  } else {
    const int64_t lost =
        run["failed"].get<int64_t>() + run["dropped"].get<int64_t>();
    cases->push_back(
        {prefix + "no call fails",
         lost == 0 ? "" : absl::StrCat(lost, " failed or were dropped")});
  }
  Case valid{prefix + "the run is valid", ""};
  for (const Json& reason : run["invalid_because"]) {
    absl::StrAppend(&valid.failure, valid.failure.empty() ? "" : "; ",
                    reason.get<std::string>());
  }
  cases->push_back(std::move(valid));
}

std::vector<Case> Cases(const Json& json) {
  std::vector<Case> cases;
  if (json["kind"] == "search") {
    const bool found = json["search"]["rate_per_s"] > 0;
    cases.push_back(
        {absl::StrCat("some rate meets ",
                      json["search"]["objective"].get<std::string>()),
         found ? "" : "none did"});
  } else if (json["kind"] == "sweep") {
    for (size_t i = 0; i < json["runs"].size(); ++i) {
      AddRun(json["runs"][i], absl::StrCat("run ", i + 1, ": "), &cases);
    }
  } else {
    AddRun(json, "", &cases);
  }
  return cases;
}

std::string Milliseconds(const Json& latency, const char* quantile) {
  return latency.contains(quantile)
             ? Significant(latency[quantile].get<double>())
             : "-";
}

// A line of the table of runs.
std::string RunRow(const Json& run) {
  const Json& latency = run["latency_ms"];
  return absl::StrCat("| ", Significant(run["offered_per_s"].get<double>()),
                      " | ", Significant(run["achieved_per_s"].get<double>()),
                      " | ", WithThousands(run["ok"].get<int64_t>()), " | ",
                      WithThousands(run["failed"].get<int64_t>()), " | ",
                      WithThousands(run["dropped"].get<int64_t>()), " | ",
                      Milliseconds(latency, "p50"), " | ",
                      Milliseconds(latency, "p99"), " | ",
                      Milliseconds(latency, "p99.9"), " |\n");
}

std::string RunTable(const Json& json) {
  std::string rows;
  if (json["kind"] == "sweep") {
    for (const Json& run : json["runs"]) rows += RunRow(run);
  } else if (json.contains("ok")) {
    rows = RunRow(json);
  }
  if (rows.empty()) return "";  // a search that found no rate
  return absl::StrCat(
      "| offered/s | achieved/s | OK | failed | dropped | p50 ms | p99 ms | "
      "p99.9 ms |\n| --: | --: | --: | --: | --: | --: | --: | --: |\n",
      rows, "\n");
}

}  // namespace

std::string ReportMarkdown(const Json& json) {
  std::string checks = "| check | result |\n| --- | --- |\n";
  bool passed = true;
  for (const Case& one : Cases(json)) {
    passed = passed && one.failure.empty();
    absl::StrAppend(
        &checks, "| ", ForMarkdown(one.name), " | ",
        one.failure.empty()
            ? "met"
            : absl::StrCat("**missed**: ", ForMarkdown(one.failure)),
        " |\n");
  }
  return absl::StrCat("### Load test ", passed ? "passed" : "FAILED", ": ",
                      ForMarkdown(json["model"].get<std::string>()), " at ",
                      ForMarkdown(json["target"].get<std::string>()), "\n\n",
                      RunTable(json), checks, "\n");
}

std::string ReportJunit(const Json& json) {
  std::string body;
  int failures = 0;
  const std::vector<Case> cases = Cases(json);
  for (const Case& one : cases) {
    absl::StrAppend(&body, "  <testcase classname=\"load\" name=\"",
                    ForXml(one.name), "\"");
    if (one.failure.empty()) {
      body += "/>\n";
      continue;
    }
    ++failures;
    absl::StrAppend(&body, ">\n    <failure message=\"", ForXml(one.failure),
                    "\"/>\n  </testcase>\n");
  }
  return absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                      "<testsuite name=\"groupmamba-client load\" tests=\"",
                      cases.size(), "\" failures=\"", failures, "\">\n", body,
                      "</testsuite>\n");
}

}  // namespace groupmamba::client
