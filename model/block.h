// What a stage of the network is a sequence of, in either form.

#ifndef GROUPMAMBA_MODEL_BLOCK_H_
#define GROUPMAMBA_MODEL_BLOCK_H_

#include <memory>

#include "ATen/core/Tensor.h"
#include "model/block_spec.h"
#include "model/layers.h"

namespace groupmamba {

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
