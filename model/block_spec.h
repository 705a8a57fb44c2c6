// What the two block forms fix and no configuration changes. Torch-free.

#ifndef GROUPMAMBA_MODEL_BLOCK_SPEC_H_
#define GROUPMAMBA_MODEL_BLOCK_SPEC_H_

#include <array>

#include "kernels/scan_types.h"
#include "model/config.h"

namespace groupmamba {

// Written down as data so that tests can alter it and see the goldens notice.
struct BlockSpec {
  // Of the groups, in the order of the channels.
  std::array<kernels::Direction, kGroups> directions = {};
  // Of the norms that stand before or after a branch, and of those between
  // stages.
  double branch_norm_epsilon = 1e-6;
  // Of the norm inside the released code's layer.
  double layer_norm_epsilon = 1e-5;
  // Whether the released code's layer applies its norm once more before it
  // projects.
  bool norm_before_projection = true;
};

BlockSpec SpecOf(BlockForm form);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_BLOCK_SPEC_H_
