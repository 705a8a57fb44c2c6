// What the functions of cuda_engine.h are in a build without CUDA.

#include "absl/status/status.h"
#include "model/device/cuda_engine.h"

namespace groupmamba {

absl::StatusOr<int> CountGpus() {
  return absl::UnimplementedError("this build has no CUDA; use auto or cpu");
}

absl::StatusOr<std::unique_ptr<Engine>> LoadCudaEngine(
    const ModelFolder& model, const CudaEngineOptions& options) {
  return CountGpus().status();
}

PictureMemory AllocatePinned(size_t bytes) {
  return AllocatePicture(bytes, "cpu");
}

}  // namespace groupmamba
