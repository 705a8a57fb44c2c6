// Of builds without CUDA.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/training/device.h"
#include "model/training/nccl_group.h"

namespace groupmamba::training {

absl::Status CheckDevice(const std::string& name) {
  if (!absl::StartsWith(name, "cuda")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--device ", name,
                   ": this program was built without CUDA; `./dev "
                   "build-cuda groupmamba-train` (it needs nvcc) makes "
                   "build/cuda/bin/groupmamba-train, which trains on GPUs"));
}

absl::StatusOr<at::Device> ChooseDevice(const std::string& /*name*/,
                                        int /*local_rank*/,
                                        int /*local_size*/) {
  return at::Device(at::kCPU);
}

c10::intrusive_ptr<c10d::Backend> MakeNcclGroup(
    const c10::intrusive_ptr<c10d::Store>& /*store*/,
    const PeerSpec& /*spec*/) {
  TORCH_CHECK(false, "built without CUDA, and so without NCCL");
}

}  // namespace groupmamba::training
