// Chooses the implementation that the options ask for.
#include "model/engine.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/cores.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "kernels/isa.h"
#include "model/cpu/cpu_engine.h"
#include "model/device/cuda_engine.h"
#include "model/torch_engine.h"

namespace groupmamba {
namespace {

constexpr int kMaxThreads = 1024;

// The number N of "cuda:N"; -1: none.
int GpuNumber(absl::string_view device) {
  int number = -1;
  if (!absl::ConsumePrefix(&device, "cuda:") ||
      !absl::SimpleAtoi(device, &number)) {
    return -1;
  }
  return std::max(number, -1);
}

absl::StatusOr<std::vector<std::string>> ListGpus(const std::string& device) {
  const absl::StatusOr<int> count = CountGpus();
  if (!count.ok()) {
    return absl::UnavailableError(
        absl::StrCat("device ", device, ": ", count.status().message()));
  }
  std::vector<std::string> gpus;
  for (int n = 0; n < *count; ++n) {
    if (device == "cuda" || GpuNumber(device) == n) {
      gpus.push_back(absl::StrCat("cuda:", n));
    }
  }
  if (gpus.empty()) {
    return absl::UnavailableError(absl::StrCat(
        "device ", device, ": the GPUs are cuda:0 to cuda:", *count - 1));
  }
  return gpus;
}

absl::Status CheckPrecision(const EngineOptions& options) {
  const std::string& precision = options.precision;
  if (precision == "auto" || precision == "fp32") return absl::OkStatus();
  if (precision != "bf16") {
    return absl::InvalidArgumentError(absl::StrCat(
        "precision \"", precision, "\" is none of auto, fp32, bf16"));
  }
  if (options.implementation == EngineImplementation::kTorch) {
    return absl::InvalidArgumentError(
        "precision bf16 is not there with the torch engine; use native");
  }
  return absl::OkStatus();
}

// auto: bf16 where the processor multiplies it faster than fp32.
kernels::Storage StorageFor(absl::string_view precision) {
  const bool bf16 =
      precision == "bf16" ||
      (precision == "auto" && kernels::BestIsa() == kernels::Isa::kAvx512Bf16);
  return bf16 ? kernels::Storage::kBf16 : kernels::Storage::kFp32;
}

absl::Status CheckThreads(int threads) {
  if (threads >= 0 && threads <= kMaxThreads) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("threads is ", threads, ", not within 0 to ", kMaxThreads));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListDevices(
    const EngineOptions& options) {
  const std::string& device = options.device;
  const bool gpu = device == "cuda" || GpuNumber(device) >= 0;
  if (!gpu && device != "cpu" && device != "auto") {
    return absl::InvalidArgumentError(absl::StrCat(
        "device \"", device, "\" is none of auto, cpu, cuda, cuda:N"));
  }
  if (options.implementation == EngineImplementation::kTorch && gpu) {
    return absl::InvalidArgumentError(
        "the torch engine runs on the processor; use device cpu");
  }
  if (gpu) return ListGpus(device);
  if (device == "auto" &&
      options.implementation == EngineImplementation::kNative) {
    if (CountGpus().ok()) return ListGpus("cuda");
    if (!absl::IsUnimplemented(CountGpus().status())) {
      Log(LogLevel::kInfo, "the processor is used",
          {{"reason", CountGpus().status().message()}});
    }
  }
  return std::vector<std::string>{"cpu"};
}

PictureMemory AllocatePicture(size_t bytes, absl::string_view device) {
  if (GpuNumber(device) >= 0) return AllocatePinned(bytes);
  return PictureMemory(new uint8_t[bytes],
                       [](uint8_t* memory) { delete[] memory; });
}

absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(
    const ModelFolder& model, const EngineOptions& options) {
  GM_ASSIGN_OR_RETURN(const std::vector<std::string> devices,
                      ListDevices(options));
  GM_RETURN_IF_ERROR(CheckPrecision(options));
  GM_RETURN_IF_ERROR(CheckThreads(options.threads));
  const int threads = options.threads > 0 ? options.threads : UsableCores();
  if (options.implementation == EngineImplementation::kTorch) {
    return LoadTorchEngine(model, threads);
  }
  if (const int gpu = GpuNumber(devices.front()); gpu >= 0) {
    return LoadCudaEngine(model, {.device = gpu,
                                  .bf16 = options.precision != "fp32",
                                  .graphs = options.cuda_graphs});
  }
  return cpu::LoadCpuEngine(model, threads, kernels::BestIsa(),
                            StorageFor(options.precision));
}

}  // namespace groupmamba
