// The HTTP listener that shows the metrics at /metrics.

#ifndef GROUPMAMBA_SERVER_METRICS_PAGE_H_
#define GROUPMAMBA_SERVER_METRICS_PAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/exposer.h"
#include "server/metrics.h"

namespace groupmamba {

class MetricsPage {
 public:
  // Listens on HOST:PORT; port 0: the system chooses. `metrics` must outlive
  // it. Errors: UNAVAILABLE, the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsPage>> Start(
      const std::string& listen, const Metrics& metrics);

  // Ends at once what it listens to; answers that are under way are finished.
  ~MetricsPage();

  // The chosen port.
  int port() const { return exposer_->GetListeningPorts().front(); }

 private:
  explicit MetricsPage(std::unique_ptr<prometheus::Exposer> exposer)
      : exposer_(std::move(exposer)) {}

  const std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_METRICS_PAGE_H_
