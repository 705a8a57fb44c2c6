#include "server/metrics_page.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace groupmamba {

absl::StatusOr<std::unique_ptr<MetricsPage>> MetricsPage::Start(
    const std::string& listen, const Metrics& metrics) {
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(listen);
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, " for metrics"));
  }
  for (const auto& collectable : metrics.collectables()) {
    exposer->RegisterCollectable(collectable);
  }
  return std::unique_ptr<MetricsPage>(new MetricsPage(std::move(exposer)));
}

}  // namespace groupmamba
