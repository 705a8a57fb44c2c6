// What our LibTorch operators share: checks of what callers hand in, and the
// way to an operator through the dispatcher.

#ifndef GROUPMAMBA_MODEL_OP_SUPPORT_H_
#define GROUPMAMBA_MODEL_OP_SUPPORT_H_

#include "ATen/core/Tensor.h"
#include "ATen/core/dispatch/Dispatcher.h"
#include "c10/util/Exception.h"
#include "kernels/scan_types.h"
#include "torch/csrc/autograd/autograd_not_implemented_fallback.h"

namespace groupmamba {

template <class Signature>
c10::TypedOperatorHandle<Signature> FindOperator(const char* name) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, "")
      .typed<Signature>();
}

inline at::Tensor WithAdjacentChannels(const at::Tensor& x) {
  return x.stride(-1) == 1 ? x : x.contiguous();
}

// `type` is that of all operands: fp32 or double.
inline void CheckOperand(at::ScalarType type, const char* name,
                         const at::Tensor& x, at::IntArrayRef sizes) {
  TORCH_CHECK(type == at::kFloat || type == at::kDouble,
              "groupmamba: tensors must be float32 or float64, not ", type);
  TORCH_CHECK(x.scalar_type() == type, "groupmamba: ", name, " must be ", type,
              " like the others, not ", x.scalar_type());
  TORCH_CHECK(x.sizes() == sizes, "groupmamba: ", name, " must be ", sizes,
              ", not ", x.sizes());
}

inline void CheckOperand(const at::Tensor& like, const char* name,
                         const at::Tensor& x, at::IntArrayRef sizes) {
  CheckOperand(like.scalar_type(), name, x, sizes);
}

inline kernels::Direction DirectionOf(int64_t direction) {
  TORCH_CHECK(direction >= 0 && direction < 4,
              "groupmamba: direction must be 0 (left to right), 1 (right to "
              "left), 2 (top to bottom) or 3 (bottom to top), not ",
              direction);
  return static_cast<kernels::Direction>(direction);
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_OP_SUPPORT_H_
