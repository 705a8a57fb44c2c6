#ifndef GROUPMAMBA_MODEL_GRID_H_
#define GROUPMAMBA_MODEL_GRID_H_

#include <cstdint>

namespace groupmamba {

// Height and width of a token tensor's grid; height * width = tokens.
struct Grid {
  int64_t height = 0;
  int64_t width = 0;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_GRID_H_
