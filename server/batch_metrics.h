// What the batchers know, as metrics that are asked for when the page is read:
// how long they wait for company, what awaits a request that comes now, how
// long a batch of each size takes, and in which state the models are.

#ifndef GROUPMAMBA_SERVER_BATCH_METRICS_H_
#define GROUPMAMBA_SERVER_BATCH_METRICS_H_

#include <memory>

#include "prometheus/collectable.h"
#include "server/model_repository.h"

namespace groupmamba {

// Thread-safe. `models` must outlive it. Batch sizes are 1, 2, 4, ... and the
// largest, so that there are few lines. The settings that `plan` needs are
// there, too.
std::shared_ptr<prometheus::Collectable> MakeBatchMetrics(
    const ModelRepository* models, int decode_threads);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCH_METRICS_H_
