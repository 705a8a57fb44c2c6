// Operands of groupmamba::ss2d_core, and what a core gives for them: for tests
// that compare cores.

#ifndef GROUPMAMBA_TESTS_MODEL_SS2D_LEAVES_H_
#define GROUPMAMBA_TESTS_MODEL_SS2D_LEAVES_H_

#include <initializer_list>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros_like.h"
#include "gtest/gtest.h"
#include "model/ss2d_op.h"

namespace groupmamba {

inline constexpr double kEpsilon = 1e-5;

// xz and the parameters, of the sizes met in a network.
struct Leaves {
  Leaves(int64_t batch, Grid grid, int64_t d)
      : grid(grid),
        all{at::randn({batch, grid.height * grid.width, 2 * d}),
            at::randn({d, 1, 3, 3}) / 3,
            at::randn({d}) / 3,
            at::randn({1, Rank(d) + 2, d}) / 4,
            at::randn({1, d, Rank(d)}) / 2,
            at::rand({1, d}) * 4 - 4,
            at::randn({d, 1}) / 2,
            at::randn({d}),
            at::rand({d}) + 0.5,
            at::randn({d}) / 2},
        weights(at::randn({batch, grid.height * grid.width, d})) {}

  static int64_t Rank(int64_t d) { return (d + 15) / 16; }

  Ss2dParameters Parameters() const {
    return {all[1], all[2], all[3], all[4], all[5],
            all[6], all[7], all[8], all[9]};
  }

  // Copies that gradients are wanted of.
  Leaves In(at::ScalarType type, at::Device device = at::kCPU) const {
    return In(type, type, device);
  }
  // xz, and so the result, in another type than the parameters.
  Leaves In(at::ScalarType type, at::ScalarType parameters,
            at::Device device) const {
    Leaves converted = *this;
    for (at::Tensor& leaf : converted.all) {
      const bool is_xz = &leaf == &converted.all[0];
      leaf = leaf.detach()
                 .to(device, is_xz ? type : parameters)
                 .clone()
                 .set_requires_grad(true);
    }
    converted.weights = weights.to(device, type);
    return converted;
  }

  // The n-th picture alone.
  Leaves Picture(int64_t n) const {
    Leaves one = In(all[0].scalar_type());
    one.all[0] =
        all[0].detach().narrow(0, n, 1).clone().set_requires_grad(true);
    one.weights = weights.narrow(0, n, 1);
    return one;
  }

  // With values of xz and of the loss's weights that bf16 has.
  Leaves Rounded() const {
    Leaves rounded = *this;
    for (at::Tensor* x : {&rounded.all[0], &rounded.weights}) {
      *x = x->to(at::kBFloat16).to(at::kFloat);
    }
    return rounded;
  }

  Grid grid;
  std::vector<at::Tensor> all;
  at::Tensor weights;  // of the loss
};

inline constexpr const char* kNames[] = {"xz",
                                         "conv2d.weight",
                                         "conv2d.bias",
                                         "x_proj_weight",
                                         "dt_projs_weight",
                                         "dt_projs_bias",
                                         "A_logs",
                                         "Ds",
                                         "out_norm.weight",
                                         "out_norm.bias"};

// The value, and the gradients of sum(weights * value) by every leaf.
template <class Core>
std::vector<at::Tensor> ValueAndGradients(const Leaves& leaves,
                                          kernels::Direction direction,
                                          Core core) {
  const at::Tensor out = core(leaves.all[0], leaves.Parameters(), leaves.grid,
                              direction, kEpsilon);
  (out * leaves.weights).sum().backward();
  std::vector<at::Tensor> results = {out.detach()};
  for (const at::Tensor& leaf : leaves.all) {
    // On one token the composition has none by A_logs.
    results.push_back(leaf.grad().defined() ? leaf.grad().clone()
                                            : at::zeros_like(leaf));
    leaf.mutable_grad().reset();
  }
  return results;
}

// A picture's result and gradient by xz are the same to the bit without the
// others of its batch.
inline void ExpectPicturesAloneAreTheSame(
    const Leaves& leaves, kernels::Direction direction,
    std::initializer_list<int64_t> pictures) {
  const auto together = ValueAndGradients(leaves, direction, Ss2dCore);
  for (const int64_t n : pictures) {
    const auto alone =
        ValueAndGradients(leaves.Picture(n), direction, Ss2dCore);
    for (int i : {0, 1}) {  // the value, and the gradient by xz
      EXPECT_TRUE(alone[i].equal(together[i].narrow(0, n, 1)));
    }
  }
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_SS2D_LEAVES_H_
