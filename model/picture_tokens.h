// Pictures as tokens, without copies.

#ifndef GROUPMAMBA_MODEL_PICTURE_TOKENS_H_
#define GROUPMAMBA_MODEL_PICTURE_TOKENS_H_

#include "ATen/core/Tensor.h"
#include "model/grid.h"

namespace groupmamba {

// The channels_last picture in the memory of a token tensor, and back.
at::Tensor PictureOf(const at::Tensor& tokens, Grid grid);
at::Tensor TokensOf(const at::Tensor& picture);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_PICTURE_TOKENS_H_
