#include "model/ss2d_call.h"

#include <utility>

#include "model/op_support.h"

namespace groupmamba {

Ss2dCall::Ss2dCall(const at::Tensor& from, at::TensorList tensors,
                   int64_t height, int64_t width, int64_t direction,
                   at::ScalarType parameter_type)
    : xz(WithAdjacentChannels(from)) {
  TORCH_CHECK(tensors.size() == kSs2dParameters, "ss2d_core: there are ",
              kSs2dParameters, " parameters, not ", tensors.size());
  TORCH_CHECK(tensors[3].dim() == 3 && tensors[3].size(2) > 0,
              "ss2d_core: dt_projs_weight must be [1, d, R]");
  const int64_t d = tensors[3].size(1), rank = tensors[3].size(2);
  TORCH_CHECK(xz.dim() == 3 && height > 0 && width > 0 && d > 0 &&
                  xz.size(1) == height * width && xz.size(2) == 2 * d,
              "ss2d_core: xz must be [batch, ", height, " * ", width, ", 2 * ",
              d, "], not ", xz.sizes());
  const std::pair<const char*, std::vector<int64_t>> expected[] = {
      {"conv2d.weight", {d, 1, 3, 3}},
      {"conv2d.bias", {d}},
      {"x_proj_weight", {1, rank + 2, d}},
      {"dt_projs_weight", {1, d, rank}},
      {"dt_projs_bias", {1, d}},
      {"A_logs", {d, 1}},
      {"Ds", {d}},
      {"out_norm.weight", {d}},
      {"out_norm.bias", {d}}};
  for (size_t i = 0; i < kSs2dParameters; ++i) {
    CheckOperand(parameter_type, expected[i].first, tensors[i],
                 expected[i].second);
    TORCH_CHECK(tensors[i].device() == xz.device(),
                "ss2d_core: ", expected[i].first, " is on ",
                tensors[i].device(), ", xz on ", xz.device());
    parameters.push_back(tensors[i].contiguous());
  }
  shape = {.height = height,
           .width = width,
           .channels = d,
           .rank = rank,
           .direction = DirectionOf(direction)};
}

}  // namespace groupmamba
