#include "server/connection_metrics.h"

#include <functional>
#include <string>
#include <utility>

#include "server/gauges.h"

namespace groupmamba {
namespace {

using All = std::vector<std::shared_ptr<const Connections>>;

std::function<double()> Sum(const All& all,
                            std::function<int64_t(const Connections&)> value) {
  return [all, value = std::move(value)] {
    int64_t sum = 0;
    for (const auto& connections : all) sum += value(*connections);
    return static_cast<double>(sum);
  };
}

std::vector<prometheus::ClientMetric> AbuseSamples(const All& all) {
  std::vector<prometheus::ClientMetric> samples(kAbuseCount);
  for (int i = 0; i < kAbuseCount; ++i) {
    const auto abuse = static_cast<Abuse>(i);
    samples[i].label = {{"reason", std::string(AbuseName(abuse))}};
    for (const auto& connections : all) {
      samples[i].counter.value +=
          static_cast<double>(connections->abused(abuse));
    }
  }
  return samples;
}

}  // namespace

std::shared_ptr<prometheus::Collectable> MakeConnectionMetrics(All all) {
  return std::make_shared<Gauges>(
      std::vector<Gauges::Gauge>{
          {"groupmamba_connections", "Connections that are open.",
           Sum(all, [](const Connections& c) { return c.open(); })},
          {"groupmamba_connections_refused_total",
           "Connections beyond --max-connections, or beyond the files that the "
           "process may open.",
           Sum(all, [](const Connections& c) { return c.refused(); }), true}},
      std::vector<Gauges::Labelled>{
          {"groupmamba_connections_abused_total",
           "Connections that were ended for what their clients sent.",
           [all] { return AbuseSamples(all); }, true}});
}

}  // namespace groupmamba
