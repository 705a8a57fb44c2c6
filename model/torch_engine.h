// The engine as a composition of LibTorch's operators: the reference that our
// kernels are measured against. Torch-free header.

#ifndef GROUPMAMBA_MODEL_TORCH_ENGINE_H_
#define GROUPMAMBA_MODEL_TORCH_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/engine.h"

namespace groupmamba {

// threads: at least 1. Errors: FAILED_PRECONDITION, as LoadEngine; UNAVAILABLE
// in a build without LibTorch.
absl::StatusOr<std::unique_ptr<Engine>> LoadTorchEngine(
    const ModelFolder& model, int threads);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_TORCH_ENGINE_H_
