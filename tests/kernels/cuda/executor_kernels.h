// The table of kernels (kernels/cuda/kernel_table.h) run by the executor, on
// memory of the processor: with everything that it checks, and every output
// written. A fault is a failure of the test that runs, and of the launch.
#ifndef GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_
#define GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/kernel_table.h"

namespace groupmamba::testing {

const cuda::KernelTable& ExecutorKernels();

struct LaunchRecord {
  std::string kernel;
  int64_t tokens = 0;  // of a picture
  int64_t bytes = 0;   // of its inputs and outputs
};

// As long as one lives, the table's functions, on this thread, write the launch
// down and do nothing else: outputs stay what they were.
class LaunchLog {
 public:
  LaunchLog();
  ~LaunchLog();
  LaunchLog(const LaunchLog&) = delete;
  LaunchLog& operator=(const LaunchLog&) = delete;

  std::vector<LaunchRecord> records;
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_CUDA_EXECUTOR_KERNELS_H_
