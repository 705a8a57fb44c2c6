// Prometheus gauges and counters whose value is asked for when the page is
// read.

#ifndef GROUPMAMBA_SERVER_GAUGES_H_
#define GROUPMAMBA_SERVER_GAUGES_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/client_metric.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace groupmamba {

// Thread-safe if the functions are.
class Gauges : public prometheus::Collectable {
 public:
  struct Gauge {
    std::string name;
    std::string help;
    std::function<double()> value;
    bool is_counter = false;  // only ever rises
  };

  // One gauge or counter with labels: gives a sample for each of their sets.
  struct Labelled {
    std::string name;
    std::string help;
    std::function<std::vector<prometheus::ClientMetric>()> samples;
    bool is_counter = false;  // the samples hold counters
  };

  explicit Gauges(std::vector<Gauge> gauges,
                  std::vector<Labelled> labelled = {})
      : gauges_(std::move(gauges)), labelled_(std::move(labelled)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::vector<Gauge> gauges_;
  const std::vector<Labelled> labelled_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_GAUGES_H_
