// Of builds with CUDA. No GPU has run it yet.

#include "model/training/nccl_group.h"

#include <chrono>
#include <cstdlib>

#include "torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp"

namespace groupmamba::training {

c10::intrusive_ptr<c10d::Backend> MakeNcclGroup(
    const c10::intrusive_ptr<c10d::Store>& store, const PeerSpec& spec) {
  // Read by the group's constructor: wait() then ends with the collective and
  // throws, instead of a watchdog that ends the process.
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*overwrite=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::seconds(spec.timeout_s);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, spec.rank,
                                                     spec.size, options);
}

}  // namespace groupmamba::training
