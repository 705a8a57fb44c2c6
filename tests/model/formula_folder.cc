#include "tests/model/formula_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "model/formula_weights.h"
#include "model/manifest.h"
#include "model/safetensors.h"

namespace groupmamba {

FormulaFolder::FormulaFolder(const std::string& name,
                             const ModelConfig& config) {
  model_.name = name;
  model_.version = 1;
  model_.path = testing::TempDir() + "/" + name;
  model_.config = config;
  std::filesystem::create_directories(model_.path);
  values_ = FormulaWeights(config, 1).value();
}

FormulaFolder::~FormulaFolder() { std::filesystem::remove_all(model_.path); }

void FormulaFolder::Write() {
  std::map<std::string, TensorBytes> tensors;
  for (const ParameterSpec& spec : ListParameters(model_.config)) {
    if (spec.kind == ParameterSpec::Kind::kCounter) continue;
    tensors[spec.name] = ViewOf(values_.at(spec.name), spec.shape);
  }
  model_.config.weights_sha256 =
      WriteSafetensors(model_.path + "/model.safetensors", tensors, {}).value();
}

}  // namespace groupmamba
