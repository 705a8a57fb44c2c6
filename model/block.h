// What a stage of the network is a sequence of, in either form.

#ifndef GROUPMAMBA_MODEL_BLOCK_H_
#define GROUPMAMBA_MODEL_BLOCK_H_

#include <array>
#include <memory>

#include "ATen/core/Tensor.h"
#include "kernels/selective_scan.h"
#include "model/config.h"
#include "model/layers.h"

namespace groupmamba {

// What the two forms fix and no configuration changes. Written down as data so
// that tests can alter it and see the goldens notice.
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

class Block {
 public:
  virtual ~Block() = default;

  // x: [batch, tokens, channels]; returns the same shape. `drop_path`:
  // probability that the block's branches are left out for a picture.
  virtual at::Tensor Forward(const at::Tensor& x, Grid grid, double drop_path,
                             const ForwardOptions& options) const = 0;
};

// The module at `scope`, in the form that is asked for.
std::unique_ptr<Block> MakeReleasedBlock(const ParameterScope& scope,
                                         const BlockSpec& spec);
std::unique_ptr<Block> MakePaperBlock(const ParameterScope& scope,
                                      const BlockSpec& spec);

// The released code's last block, which lets the class token (the mean of the
// tokens) through one more layer.
class ClassBlock {
 public:
  virtual ~ClassBlock() = default;

  // x: [batch, tokens, channels]; returns the class token [batch, channels].
  virtual at::Tensor Forward(const at::Tensor& x,
                             const ForwardOptions& options) const = 0;
};

std::unique_ptr<ClassBlock> MakeClassBlock(const ParameterScope& scope,
                                           const BlockSpec& spec);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_BLOCK_H_
