// What LoadTorchEngine is in a build without LibTorch (the sanitizers').

#include "absl/status/status.h"
#include "model/torch_engine.h"

namespace groupmamba {

absl::StatusOr<std::unique_ptr<Engine>> LoadTorchEngine(
    const ModelFolder& model, int threads) {
  return absl::UnavailableError(
      "this build has no LibTorch; use the native engine");
}

}  // namespace groupmamba
