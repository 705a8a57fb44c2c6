// What a stage of the network on a device is a sequence of, in either form.
//
// The tokens that run through a stage lack the biases of the products that were
// added to them: those are the same for every token, so the sum of them, the
// stream's shift, is known when the weights are, and the norms add it. So a
// branch's last product adds to the stream in place, and nothing else does.

#ifndef GROUPMAMBA_MODEL_DEVICE_BLOCKS_H_
#define GROUPMAMBA_MODEL_DEVICE_BLOCKS_H_

#include <memory>

#include "ATen/TensorOperators.h"
#include "model/block_spec.h"
#include "model/device/ops.h"

namespace groupmamba::device {

// The stream's shift: a padded row on the processor, in fp32.
class Shift {
 public:
  void Add(const at::Tensor& padded_bias) {
    row_ = row_.defined() ? row_ + padded_bias : padded_bias;
  }
  // Undefined: nothing was added yet.
  const at::Tensor& row() const { return row_; }

 private:
  at::Tensor row_;
};

// One call at a time.
class Block {
 public:
  virtual ~Block() = default;
  // Adds the block's branches to the stream x.
  virtual void Forward(const Device& device, const at::Tensor& x,
                       Grid grid) const = 0;
};

// `scope` holds the block's parameters on the processor; `shift` is the
// stream's before the block, and becomes that after it. The paper's form has
// its biases in the stream.
std::unique_ptr<Block> MakeReleasedBlock(const Device& device,
                                         const ParameterScope& scope,
                                         const BlockSpec& spec,
                                         const ChannelLayout& layout,
                                         Shift* shift);
std::unique_ptr<Block> MakePaperBlock(const Device& device,
                                      const ParameterScope& scope,
                                      const BlockSpec& spec,
                                      const ChannelLayout& layout);

// The released code's last block, on the class token; `device` has fp32.
std::unique_ptr<Block> MakeClassBlock(const Device& device,
                                      const ParameterScope& scope,
                                      const BlockSpec& spec,
                                      const ChannelLayout& layout,
                                      Shift* shift);

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_BLOCKS_H_
