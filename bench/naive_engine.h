// The network composed naively of LibTorch's operators
// (tests/reference/naive_network.h), as an engine: the yardstick of
// model_bench.

#ifndef GROUPMAMBA_BENCH_NAIVE_ENGINE_H_
#define GROUPMAMBA_BENCH_NAIVE_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/engine.h"

namespace groupmamba::bench {

// Released form only. Errors: FAILED_PRECONDITION, as LoadEngine's.
absl::StatusOr<std::unique_ptr<Engine>> LoadNaiveEngine(
    const ModelFolder& model, int threads, bool bf16);

}  // namespace groupmamba::bench

#endif  // GROUPMAMBA_BENCH_NAIVE_ENGINE_H_
