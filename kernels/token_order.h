// The order of tokens that a direction means. For the dispatchers; the files
// compiled for one instruction set see its result alone.

#ifndef GROUPMAMBA_KERNELS_TOKEN_ORDER_H_
#define GROUPMAMBA_KERNELS_TOKEN_ORDER_H_

#include <cstdint>

#include "kernels/scan_variant.h"

namespace groupmamba::kernels {

TokenOrder OrderOf(int64_t height, int64_t width, Direction direction);

// Visits the same tokens from the last to the first.
Direction Opposite(Direction direction);

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_TOKEN_ORDER_H_
