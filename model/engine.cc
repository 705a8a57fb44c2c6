// Chooses the implementation that the options ask for.
#include "model/engine.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cores.h"
#include "base/status_macros.h"
#include "kernels/isa.h"
#include "model/cpu/cpu_engine.h"
#include "model/torch_engine.h"

namespace groupmamba {
namespace {

constexpr int kMaxThreads = 1024;

absl::Status CheckDevice(absl::string_view device) {
  if (device == "auto" || device == "cpu") return absl::OkStatus();
  if (device == "cuda" || absl::StartsWith(device, "cuda:")) {
    return absl::UnavailableError(absl::StrCat(
        "device ", device, ": this build has no CUDA; use auto or cpu"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "device \"", device, "\" is none of auto, cpu, cuda, cuda:N"));
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

absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(
    const ModelFolder& model, const EngineOptions& options) {
  GM_RETURN_IF_ERROR(CheckDevice(options.device));
  GM_RETURN_IF_ERROR(CheckPrecision(options));
  GM_RETURN_IF_ERROR(CheckThreads(options.threads));
  const int threads = options.threads > 0 ? options.threads : UsableCores();
  if (options.implementation == EngineImplementation::kTorch) {
    return LoadTorchEngine(model, threads);
  }
  return cpu::LoadCpuEngine(model, threads, kernels::BestIsa(),
                            StorageFor(options.precision));
}

}  // namespace groupmamba
