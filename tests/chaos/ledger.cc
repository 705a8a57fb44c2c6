#include "tests/chaos/ledger.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace groupmamba::chaos {
namespace {

using Mismatches = std::vector<std::string>;

// What a caller may see although the server ended the request in any way: it
// gave up, or the way between them broke.
bool IsLocal(const std::string& code) {
  return code == "DEADLINE_EXCEEDED" || code == "CANCELLED" ||
         code == "UNAVAILABLE";
}

std::map<std::string, const Entry*> ById(const std::vector<Entry>& entries,
                                         const char* whose,
                                         Mismatches* mismatches) {
  std::map<std::string, const Entry*> by_id;
  for (const Entry& entry : entries) {
    if (entry.id.empty()) {
      mismatches->push_back(absl::StrCat(whose, ": a line cannot be read"));
    } else if (!by_id.emplace(entry.id, &entry).second) {
      mismatches->push_back(
          absl::StrCat(whose, ": ", entry.id, " ended twice"));
    }
  }
  return by_id;
}

void CompareJournals(const std::vector<Entry>& callers,
                     const std::vector<Entry>& server, Mismatches* mismatches) {
  const auto sent = ById(callers, "caller", mismatches);
  const auto served = ById(server, "server", mismatches);
  for (const auto& [id, entry] : served) {
    if (!sent.contains(id)) {
      mismatches->push_back(absl::StrCat(id, ": served, but nobody sent it"));
    }
  }
  for (const auto& [id, caller] : sent) {
    const auto found = served.find(id);
    if (found == served.end()) {
      if (!IsLocal(caller->code)) {
        mismatches->push_back(absl::StrCat(id, ": ", caller->code,
                                           " to its caller, unknown to the "
                                           "server"));
      }
      continue;
    }
    const Entry& entry = *found->second;
    if (caller->code != entry.code && !IsLocal(caller->code)) {
      mismatches->push_back(absl::StrCat(id, ": ", caller->code,
                                         " to its caller, ", entry.code,
                                         " to the server"));
    }
    if (caller->crc32 != entry.crc32) {
      mismatches->push_back(
          absl::StrCat(id, ": the server saw another request"));
    }
    if (caller->code == "OK" && caller->version != entry.version &&
        caller->version != 0) {
      mismatches->push_back(absl::StrCat(id, ": version ", caller->version,
                                         " to its caller, ", entry.version,
                                         " to the server"));
    }
  }
}

// The sum of the samples of a name, where the label has the value.
double Sum(const client::MetricsPage& page, const std::string& name,
           const std::string& label = "", const std::string& value = "") {
  double sum = 0;
  for (const client::Sample& sample : page) {
    if (sample.name != "groupmamba_" + name) continue;
    if (!label.empty()) {
      const auto found = sample.labels.find(label);
      if (found == sample.labels.end() || found->second != value) continue;
    }
    sum += sample.value;
  }
  return sum;
}

void Expect(const std::string& what, double is, double should,
            Mismatches* mismatches) {
  if (is != should) {
    mismatches->push_back(absl::StrCat(what, ": ", is, ", not ", should));
  }
}

void CheckCounters(const std::vector<Entry>& server,
                   const client::MetricsPage& page, Mismatches* mismatches) {
  const auto expect = [mismatches](const std::string& what, double is,
                                   double should) {
    Expect(what, is, should, mismatches);
  };
  const auto lines = static_cast<double>(server.size());
  expect("requests_started_total", Sum(page, "requests_started_total"), lines);
  expect("requests_done_total", Sum(page, "requests_done_total"), lines);
  expect("requests_total", Sum(page, "requests_total"), lines);
  std::map<std::string, double> codes;
  for (const Entry& entry : server) ++codes[entry.code];
  for (const auto& [code, count] : codes) {
    expect(absl::StrCat("requests_total of ", code),
           Sum(page, "requests_total", "code", code), count);
  }
  expect("admitted_ended_total", Sum(page, "admitted_ended_total"),
         Sum(page, "admitted_total"));
  expect("inflight_requests", Sum(page, "inflight_requests"), 0);
  expect("queue_depth", Sum(page, "queue_depth"), 0);
  expect("queue_bytes", Sum(page, "queue_bytes"), 0);
  expect("lines_dropped_total", Sum(page, "lines_dropped_total"), 0);
  const double inferred =
      Sum(page, "admitted_ended_total", "outcome", "inferred");
  if (Sum(page, "images_total") < inferred) {
    mismatches->push_back("images_total: fewer than were inferred");
  }
  expect("batch_size_sum", Sum(page, "batch_size_sum"),
         Sum(page, "images_total"));
}

}  // namespace

std::vector<Entry> ReadJournal(std::istream* in) {
  std::vector<Entry> entries;
  for (std::string line; std::getline(*in, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields[0] == "id") continue;
    if (fields.size() > 4 && fields[4] == "DROPPED") continue;
    Entry entry;
    if (fields.size() == 7 && absl::SimpleAtoi(fields[5], &entry.version)) {
      entry.id = fields[0];
      entry.code = fields[4];
      entry.crc32 = fields[6];
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> CheckRepair(const client::MetricsPage& page,
                                     const Damage& damage) {
  Mismatches mismatches;
  Expect("decoder_restarts_total", Sum(page, "decoder_restarts_total"),
         damage.kills - damage.dead, &mismatches);
  Expect("reload_failures_total", Sum(page, "reload_failures_total"), 0,
         &mismatches);
  Expect("model_ready", Sum(page, "model_ready"), 1, &mismatches);
  Expect("model_ready of the newest version",
         Sum(page, "model_ready", "version", absl::StrCat(damage.versions)), 1,
         &mismatches);
  return mismatches;
}

std::vector<std::string> CheckHarm(const std::vector<Entry>& callers,
                                   const std::vector<Entry>& loads,
                                   const std::vector<Entry>& server,
                                   const client::MetricsPage& page,
                                   const Damage& damage) {
  const std::set<std::string> of_loads = {"OK", "RESOURCE_EXHAUSTED",
                                          "DEADLINE_EXCEEDED"};
  std::set<std::string> of_all = of_loads;
  of_all.insert({"CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL"});
  Mismatches mismatches;
  const auto check = [&](const char* whose, const std::vector<Entry>& entries,
                         const std::set<std::string>& codes) {
    for (const Entry& entry : entries) {
      if (!codes.contains(entry.code)) {
        mismatches.push_back(
            absl::StrCat(whose, ": ", entry.id, " ended with ", entry.code));
      }
    }
  };
  check("server", server, of_all);
  check("caller", callers, of_all);
  check("load client", loads, of_loads);
  Expect("connections_abused_total", Sum(page, "connections_abused_total"), 0,
         &mismatches);
  int internal = 0;
  for (const Entry& entry : server) {
    if (entry.code == "INTERNAL") ++internal;
    if (entry.code == "OK" &&
        (entry.version < 1 || entry.version > damage.versions)) {
      mismatches.push_back(absl::StrCat(entry.id, ": OK from version ",
                                        entry.version, ", which never was"));
    }
  }
  if (internal > damage.kills) {
    mismatches.push_back(absl::StrCat(internal, " calls ended with INTERNAL, ",
                                      damage.kills, " decoders were killed"));
  }
  return mismatches;
}

std::vector<std::string> Reconcile(const std::vector<Entry>& callers,
                                   const std::vector<Entry>& server,
                                   const client::MetricsPage& page) {
  Mismatches mismatches;
  CompareJournals(callers, server, &mismatches);
  CheckCounters(server, page, &mismatches);
  return mismatches;
}

}  // namespace groupmamba::chaos
