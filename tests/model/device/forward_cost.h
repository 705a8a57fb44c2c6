// What a forward of the network on a device costs, counted on the processor:
// its launches, and the bytes that their inputs and outputs have. Our kernels
// are counted by their table, LibTorch's operators by its own record of them,
// each as the launches that it is on a GPU: a matrix product one (its bias is
// added in it), a convolution one and its bias another, views none.
#ifndef GROUPMAMBA_TESTS_MODEL_DEVICE_FORWARD_COST_H_
#define GROUPMAMBA_TESTS_MODEL_DEVICE_FORWARD_COST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "model/device/network.h"

namespace groupmamba::testing {

struct Launch {
  std::string name;    // of the kernel or operator
  int64_t tokens = 0;  // of a picture, as far as it is about tokens
  int64_t bytes = 0;
  bool widens = false;  // a product whose two widths differ
};

// Of one forward of pictures [batch, height, width, 3]. An operator that the
// table of forward_cost.cc does not know fails the test that runs.
std::vector<Launch> LaunchesOf(const device::Network& network,
                               const at::Tensor& pictures);

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_MODEL_DEVICE_FORWARD_COST_H_
