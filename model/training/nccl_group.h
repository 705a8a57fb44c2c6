// The exchange between GPUs.

#ifndef GROUPMAMBA_MODEL_TRAINING_NCCL_GROUP_H_
#define GROUPMAMBA_MODEL_TRAINING_NCCL_GROUP_H_

#include "model/training/launch.h"
#include "torch/csrc/distributed/c10d/Backend.hpp"
#include "torch/csrc/distributed/c10d/Store.hpp"

namespace groupmamba::training {

// LibTorch's process group over NCCL, for tensors on one GPU. Its waits are
// for the end of a collective, and throw when another process is gone or silent
// for spec.timeout_s. Throws c10::Error, also in a build without CUDA.
c10::intrusive_ptr<c10d::Backend> MakeNcclGroup(
    const c10::intrusive_ptr<c10d::Store>& store, const PeerSpec& spec);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_NCCL_GROUP_H_
