// What LoadEngine is in a build without LibTorch (the sanitizers').

#include "absl/status/status.h"
#include "model/engine.h"

namespace groupmamba {

absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(
    const ModelFolder& model, const EngineOptions& options) {
  return absl::UnavailableError("built without LibTorch: no model can run");
}

}  // namespace groupmamba
