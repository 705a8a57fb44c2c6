// The standard process_* family of metrics, from /proc and the kernel.

#ifndef GROUPMAMBA_SERVER_PROCESS_METRICS_H_
#define GROUPMAMBA_SERVER_PROCESS_METRICS_H_

#include <memory>

#include "prometheus/collectable.h"

namespace groupmamba {

// Thread-safe. A value that cannot be read is 0.
std::shared_ptr<prometheus::Collectable> MakeProcessMetrics();

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_PROCESS_METRICS_H_
