#include "tests/model/small_network.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/from_blob.h"
#include "model/formula_weights.h"
#include "model/tensors.h"

namespace groupmamba {

TensorMap FormulaTensors(const ModelConfig& config) {
  return TensorsOf(config, FormulaWeights(config, 1).value()).value();
}

std::unique_ptr<Network> FormulaNetwork(const ModelConfig& config) {
  return Network::Create(config, FormulaTensors(config)).value();
}

at::Tensor FormulaPictures(int64_t batch, int64_t height, int64_t width) {
  std::vector<float> values = FormulaInput(batch, height, width, 1);
  return at::from_blob(values.data(), {batch, 3, height, width}).clone();
}

double RelativeDifference(const at::Tensor& left, const at::Tensor& right) {
  const at::Tensor expected = right.to(at::kDouble);
  return ((left.to(at::kDouble) - expected).norm() / expected.norm())
      .item<double>();
}

}  // namespace groupmamba
