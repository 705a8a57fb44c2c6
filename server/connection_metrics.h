// How many connections there are, were refused, and were ended for abuse.

#ifndef GROUPMAMBA_SERVER_CONNECTION_METRICS_H_
#define GROUPMAMBA_SERVER_CONNECTION_METRICS_H_

#include <memory>
#include <vector>

#include "prometheus/collectable.h"
#include "server/connections.h"

namespace groupmamba {

// Of all these together.
std::shared_ptr<prometheus::Collectable> MakeConnectionMetrics(
    std::vector<std::shared_ptr<const Connections>> all);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CONNECTION_METRICS_H_
