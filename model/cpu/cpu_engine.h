// The engine on the processor: our kernels, no LibTorch.

#ifndef GROUPMAMBA_MODEL_CPU_CPU_ENGINE_H_
#define GROUPMAMBA_MODEL_CPU_CPU_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "kernels/isa.h"
#include "kernels/matmul_types.h"
#include "model/config.h"
#include "model/engine.h"

namespace groupmamba::cpu {

// Reads and checks the folder's weights. threads: at least 1. Errors:
// FAILED_PRECONDITION, as LoadEngine.
absl::StatusOr<std::unique_ptr<Engine>> LoadCpuEngine(const ModelFolder& model,
                                                      int threads,
                                                      kernels::Isa isa,
                                                      kernels::Storage storage);

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_CPU_ENGINE_H_
