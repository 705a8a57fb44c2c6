#include "model/picture_tokens.h"

namespace groupmamba {

at::Tensor PictureOf(const at::Tensor& tokens, Grid grid) {
  return tokens.view({tokens.size(0), grid.height, grid.width, tokens.size(2)})
      .permute({0, 3, 1, 2});
}

at::Tensor TokensOf(const at::Tensor& picture) {
  return picture.permute({0, 2, 3, 1}).flatten(1, 2);
}

}  // namespace groupmamba
