// Of builds with CUDA. What only machines with GPUs can test, so it is kept
// small. No GPU has run it yet.

#include <cstdlib>

#include "ATen/Context.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "c10/cuda/CUDAFunctions.h"
#include "model/device/cuda_engine.h"
#include "model/training/device.h"

namespace groupmamba::training {
namespace {

void ChooseArithmetic() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowBF16ReductionCuBLAS(false);
  // cuBLAS reads it when it begins: its sums then repeat.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  // An operator that has no deterministic algorithm says so, and goes on.
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace

absl::Status CheckDevice(const std::string& /*name*/) {
  return absl::OkStatus();
}

absl::StatusOr<at::Device> ChooseDevice(const std::string& name, int local_rank,
                                        int local_size) {
  if (name == "cpu") return at::Device(at::kCPU);
  const absl::StatusOr<int> count = CountGpus();
  if (name == "auto" && (!count.ok() || *count < local_size)) {
    return at::Device(at::kCPU);
  }
  GM_RETURN_IF_ERROR(count.status());
  int index = local_rank;
  absl::string_view number = name;
  if (absl::ConsumePrefix(&number, "cuda:") &&
      !absl::SimpleAtoi(number, &index)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is no GPU"));
  }
  if (index >= *count) {
    return absl::UnavailableError(
        absl::StrCat("process ", local_rank, " of ", local_size,
                     " on this machine is to train on cuda:", index,
                     ", but its GPUs are ", "cuda:0 to cuda:", *count - 1));
  }
  const at::Device device(at::kCUDA, static_cast<int8_t>(index));
  ChooseArithmetic();
  c10::cuda::set_device(device.index());
  return device;
}

}  // namespace groupmamba::training
