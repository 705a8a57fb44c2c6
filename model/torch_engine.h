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

// glibc maps every large activation afresh and gives it back, which costs
// LibTorch hundreds of thousands of page faults a batch. After this it keeps
// them. Process-wide, takes effect at any time; LoadTorchEngine calls it. Not
// in a build without LibTorch.
void KeepFreedMemory();

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_TORCH_ENGINE_H_
