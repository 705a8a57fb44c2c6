#include "kernels/token_order.h"

namespace groupmamba::kernels {

TokenOrder OrderOf(int64_t height, int64_t width, Direction direction) {
  const int64_t tokens = height * width;
  switch (direction) {
    case Direction::kLeftRight:
      return {0, 1, 0, tokens, 1};
    case Direction::kRightLeft:
      return {tokens - 1, 1, 0, tokens, -1};
    case Direction::kTopBottom:
      return {0, width, 1, height, width};
    case Direction::kBottomTop:
      return {tokens - 1, width, -1, height, -width};
  }
  __builtin_unreachable();
}

Direction Opposite(Direction direction) {
  switch (direction) {
    case Direction::kLeftRight:
      return Direction::kRightLeft;
    case Direction::kRightLeft:
      return Direction::kLeftRight;
    case Direction::kTopBottom:
      return Direction::kBottomTop;
    case Direction::kBottomTop:
      return Direction::kTopBottom;
  }
  __builtin_unreachable();
}

}  // namespace groupmamba::kernels
