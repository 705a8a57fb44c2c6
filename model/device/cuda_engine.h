// The engine on a GPU: model/device/network on one device. Torch-free header; a
// build without CUDA has the same functions, which say so.

#ifndef GROUPMAMBA_MODEL_DEVICE_CUDA_ENGINE_H_
#define GROUPMAMBA_MODEL_DEVICE_CUDA_ENGINE_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "model/config.h"
#include "model/engine.h"

namespace groupmamba {

// How many GPUs there are, at least 1. Errors: UNAVAILABLE, none can be used,
// with the driver's reason; UNIMPLEMENTED, this build has no CUDA.
absl::StatusOr<int> CountGpus();

struct CudaEngineOptions {
  int device = 0;
  bool bf16 = true;
  // Replays a graph for each size of batch, a power of two.
  bool graphs = false;
};

// Errors: as LoadEngine.
absl::StatusOr<std::unique_ptr<Engine>> LoadCudaEngine(
    const ModelFolder& model, const CudaEngineOptions& options);

// Memory of the processor that GPUs read by themselves; ordinary memory where
// there is none to be had.
PictureMemory AllocatePinned(size_t bytes);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_DEVICE_CUDA_ENGINE_H_
