// A model folder in the tests' temporary directory, with formula weights.

#ifndef GROUPMAMBA_TESTS_MODEL_FORMULA_FOLDER_H_
#define GROUPMAMBA_TESTS_MODEL_FORMULA_FOLDER_H_

#include <map>
#include <string>
#include <vector>

#include "model/config.h"

namespace groupmamba {

// Removes the folder at its end.
class FormulaFolder {
 public:
  // `name` is the test's own. Nothing is written yet.
  FormulaFolder(const std::string& name, const ModelConfig& config);
  ~FormulaFolder();
  FormulaFolder(const FormulaFolder&) = delete;
  FormulaFolder& operator=(const FormulaFolder&) = delete;

  // Writes the weights and puts their hash into the configuration.
  void Write();

  // What LoadEngine takes; a test may alter it.
  ModelFolder& model() { return model_; }
  // By name of tensor; a test may alter them before it writes.
  std::map<std::string, std::vector<float>>& values() { return values_; }

 private:
  ModelFolder model_;
  std::map<std::string, std::vector<float>> values_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_FORMULA_FOLDER_H_
