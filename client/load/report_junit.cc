// The report as JUnit's XML, which continuous integration shows.

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

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(
      Printable(text),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
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

}  // namespace

std::string ReportJunit(const Json& json) {
  std::string body;
  int failures = 0;
  const std::vector<Case> cases = Cases(json);
  for (const Case& one : cases) {
    absl::StrAppend(&body, "  <testcase classname=\"load\" name=\"",
                    Escaped(one.name), "\"");
    if (one.failure.empty()) {
      body += "/>\n";
      continue;
    }
    ++failures;
    absl::StrAppend(&body, ">\n    <failure message=\"", Escaped(one.failure),
                    "\"/>\n  </testcase>\n");
  }
  return absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                      "<testsuite name=\"groupmamba-client load\" tests=\"",
                      cases.size(), "\" failures=\"", failures, "\">\n", body,
                      "</testsuite>\n");
}

}  // namespace groupmamba::client
