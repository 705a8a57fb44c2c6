#include "model/block_spec.h"

namespace groupmamba {

using kernels::Direction;

BlockSpec SpecOf(BlockForm form) {
  BlockSpec spec;
  if (form == BlockForm::kReleased) {
    spec.directions = {Direction::kLeftRight, Direction::kTopBottom,
                       Direction::kRightLeft, Direction::kBottomTop};
  } else {
    spec.directions = {Direction::kLeftRight, Direction::kRightLeft,
                       Direction::kTopBottom, Direction::kBottomTop};
  }
  return spec;
}

}  // namespace groupmamba
