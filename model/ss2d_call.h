// What groupmamba::ss2d_core's operators are called with, checked: for their
// implementations on each device.

#ifndef GROUPMAMBA_MODEL_SS2D_CALL_H_
#define GROUPMAMBA_MODEL_SS2D_CALL_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "kernels/ss2d_types.h"

namespace groupmamba {

inline constexpr size_t kSs2dParameters = 9;

struct Ss2dCall {
  // Throws c10::Error, naming what is wrong. Parameters must be of
  // `parameter_type` and where xz is.
  Ss2dCall(const at::Tensor& xz, at::TensorList parameters, int64_t height,
           int64_t width, int64_t direction, at::ScalarType parameter_type);

  at::Tensor xz;  // [batch, tokens, 2 d], channels adjacent
  std::vector<at::Tensor> parameters;  // contiguous
  kernels::Ss2dShape shape;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SS2D_CALL_H_
