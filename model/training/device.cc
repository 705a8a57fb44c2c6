#include "model/training/device.h"

#include "absl/strings/match.h"

namespace groupmamba::training {

at::Device DeviceOf(const RunSettings& settings) {
  return absl::StartsWith(settings.device, "cuda:")
             ? at::Device(settings.device)
             : at::Device(at::kCPU);
}

}  // namespace groupmamba::training
