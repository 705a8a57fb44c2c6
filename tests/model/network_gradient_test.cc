// The gradient of the whole network against differences of its loss.

#include <gtest/gtest.h>

#include <algorithm>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/ones_like.h"
#include "ATen/ops/randn_like.h"
#include "tests/model/small_network.h"

namespace groupmamba {
namespace {

class NetworkGradientTest : public testing::TestWithParam<BlockForm> {};

INSTANTIATE_TEST_SUITE_P(Forms, NetworkGradientTest,
                         testing::Values(BlockForm::kReleased,
                                         BlockForm::kPaper));

bool IsTrained(const std::string& name) {
  return name.find("running_") == std::string::npos;
}

// For every trained tensor: moves it by a small step along its gradient and
// back, and compares the loss's slope with the gradient's length. fp32 leaves
// about two digits; the scan's own gradient has a sharper test (scan_op_test).
TEST_P(NetworkGradientTest, IsTheSlopeOfTheLossByEveryTensor) {
  at::manual_seed(1);
  at::set_num_threads(1);  // hundreds of forwards too small to share out
  const ModelConfig config = SmallConfig(GetParam());
  const TensorMap tensors = FormulaTensors(config);
  for (const auto& [name, tensor] : tensors) {
    if (IsTrained(name)) tensor.set_requires_grad(true);
  }
  const std::unique_ptr<Network> network =
      Network::Create(config, tensors).value();
  const at::Tensor pictures = FormulaPictures(2, 32, 48);
  at::Tensor weights;
  const auto loss = [&] {
    const at::Tensor logits = network->Forward(pictures, {}).Mean();
    if (!weights.defined()) weights = at::randn_like(logits).to(at::kDouble);
    return (logits.to(at::kDouble) * weights).sum();
  };
  loss().backward();

  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    if (!IsTrained(name)) continue;
    const at::Tensor gradient = tensor.grad();
    ASSERT_TRUE(gradient.defined()) << name;
    // Along the gradient itself the slope is steepest and rounding matters
    // least. A unit of the affinity that is off for these pictures has none.
    const double slope = gradient.to(at::kDouble).norm().item<double>();
    const double scale = tensor.to(at::kDouble).norm().item<double>();
    // Moves the loss by 0.001 at most, so that neither curvature nor rounding
    // counts.
    const double step = std::min(0.01 * (scale + 1), 0.001 / (slope + 1e-9));
    const at::Tensor move =
        slope > 0 ? gradient * (step / slope) : at::ones_like(gradient) * step;
    const at::Tensor start = tensor.clone();
    tensor.add_(move);
    const double above = loss().item<double>();
    tensor.copy_(start).sub_(move);
    const double below = loss().item<double>();
    tensor.copy_(start);
    EXPECT_NEAR((above - below) / (2 * step), slope, 0.01 * slope + 1e-3)
        << name;
  }
}

}  // namespace
}  // namespace groupmamba
