#include "server/gauges.h"

#include <utility>

namespace groupmamba {

std::vector<prometheus::MetricFamily> Gauges::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  for (const Gauge& gauge : gauges_) {
    prometheus::MetricFamily family;
    family.name = gauge.name;
    family.help = gauge.help;
    family.metric.resize(1);
    if (gauge.is_counter) {
      family.type = prometheus::MetricType::Counter;
      family.metric[0].counter.value = gauge.value();
    } else {
      family.type = prometheus::MetricType::Gauge;
      family.metric[0].gauge.value = gauge.value();
    }
    families.push_back(family);
  }
  for (const Labelled& gauge : labelled_) {
    prometheus::MetricFamily family;
    family.name = gauge.name;
    family.help = gauge.help;
    family.type = gauge.is_counter ? prometheus::MetricType::Counter
                                   : prometheus::MetricType::Gauge;
    family.metric = gauge.samples();
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace groupmamba
