// The server's metrics page (Prometheus' text format), read before and after a
// run, and what changed between.

#ifndef GROUPMAMBA_CLIENT_LOAD_METRICS_PAGE_H_
#define GROUPMAMBA_CLIENT_LOAD_METRICS_PAGE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupmamba::client {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};
using MetricsPage = std::vector<Sample>;

// What of a page can be read; lines that are none of the format are passed
// over.
MetricsPage ParseMetrics(absl::string_view text);

// GET /metrics from HOST:PORT, within five seconds, at most 8 MiB. UNAVAILABLE
// where there is no such page.
absl::StatusOr<MetricsPage> FetchMetrics(const std::string& address);

// What the servers did between two readings of their pages, for whomever: other
// clients' calls count, too.
struct ServerActivity {
  std::string version;                     // of the last page that told one
  std::map<std::string, double> codes;     // requests that ended, by code
  std::map<std::string, double> refused;   // by reason
  std::map<std::string, double> dispatch;  // batches, by why they started
  double images = 0;
  double batches = 0;
  struct Stage {
    double count = 0;
    double seconds = 0;
  };
  std::map<std::string, Stage> stages;
  // Batches by size: the upper bound and how many were not larger, but larger
  // than the bound before; the last bound is infinite.
  std::vector<std::pair<double, double>> batch_sizes;
  double cpu_seconds = 0;
  double resident_bytes = 0;  // afterwards

  void Merge(const ServerActivity& other);
};

// UNAVAILABLE where `after` is of another process than `before`.
absl::StatusOr<ServerActivity> Between(const MetricsPage& before,
                                       const MetricsPage& after);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_METRICS_PAGE_H_
