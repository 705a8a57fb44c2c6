// What a stage of the network is a sequence of, in either form. The formulas
// are in model/released_block.cc and model/paper_block.cc.

#ifndef GROUPMAMBA_MODEL_CPU_BLOCKS_H_
#define GROUPMAMBA_MODEL_CPU_BLOCKS_H_

#include <memory>

#include "model/block_spec.h"
#include "model/cpu/lane.h"
#include "model/cpu/layers.h"

namespace groupmamba::cpu {

class Block {
 public:
  virtual ~Block() = default;

  // x [tokens, channels], in place.
  virtual void Forward(Grid grid, Lane& lane, float* x) const = 0;
};

std::unique_ptr<Block> MakeReleasedBlock(const WeightScope& scope,
                                         const BlockSpec& spec);
std::unique_ptr<Block> MakePaperBlock(const WeightScope& scope,
                                      const BlockSpec& spec);

// The released code's last block: the class token, the mean of the tokens,
// passes through one more layer.
class ClassBlock {
 public:
  virtual ~ClassBlock() = default;

  // x [tokens, channels]; the class token [channels], in the lane's memory.
  virtual float* Forward(Grid grid, Lane& lane, const float* x) const = 0;
};

std::unique_ptr<ClassBlock> MakeClassBlock(const WeightScope& scope,
                                           const BlockSpec& spec);

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_BLOCKS_H_
