#include "kernels/cuda/kernel_table.h"

namespace groupmamba::cuda {

const KernelTable& CudaKernels() {
  static constexpr KernelTable kTable = {LaunchNormalise, LaunchLayerNorm,
                                         LaunchAffinity,  LaunchSs2dCore,
                                         LaunchGatedNorm, LaunchDepthwiseGelu,
                                         LaunchTokenMean, LaunchSs2dBackward};
  return kTable;
}

}  // namespace groupmamba::cuda
