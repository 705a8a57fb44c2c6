#include "tests/model/small_network.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/from_blob.h"
#include "model/formula_weights.h"
#include "model/tensors.h"

namespace groupmamba {

ModelConfig SmallConfig(BlockForm form) {
  ModelConfig config;
  config.block = form;
  config.stem_width = 8;
  config.widths = {16, 24, 32, 44};
  config.depths = {1, 2, 1, 1};
  config.mlp_ratios = {4, 3, 2, 1};
  config.classes = 7;
  config.input.resize = 64;
  config.input.crop = 64;
  config.input.mean = {0.485f, 0.456f, 0.406f};
  config.input.std = {0.229f, 0.224f, 0.225f};
  config.labels_file = "labels.txt";
  config.weights_file = "model.safetensors";
  return config;
}

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
