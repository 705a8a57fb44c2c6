// Runs the network on a golden file's formula weights and input, and compares
// every module that the file traces. tests/data/golden/README.md has the
// format.

#ifndef GROUPMAMBA_TESTS_MODEL_GOLDEN_COMPARISON_H_
#define GROUPMAMBA_TESTS_MODEL_GOLDEN_COMPARISON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/block_spec.h"

namespace groupmamba {

// Largest differences that pass. The published bounds are 1e-4 for mean and
// deviation, 5e-4 for samples and 2e-4 for logits; these are six to sixteen
// times what the four files show (1.2e-7, 1.6e-5, 4.3e-6).
struct GoldenTolerance {
  double input = 0;  // the formula is exact
  double mean_std = 2e-6;
  double sample = 1e-4;
  double logits = 4e-5;
};

struct GoldenReport {
  int modules = 0;                  // traced modules in the file
  double sample = 0;                // largest difference of a sample,
  std::string sample_module;        // and where
  double mean_std = 0;              // largest difference of a mean or deviation
  double logits = 0;                // largest difference of a logit
  std::vector<std::string> faults;  // what is missing or out of tolerance
};

// `path`: <variant>[_<height>x<width>].safetensors; 224x224 unless the name
// says otherwise. The seed is in the file's metadata, the batch in its logits'
// shape.
absl::StatusOr<GoldenReport> CompareWithGolden(
    const std::string& path, const BlockSpec& spec,
    const GoldenTolerance& tolerance = {});

// What a file says of the whole network.
struct GoldenLogits {
  ModelConfig config;
  uint64_t seed = 0;
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<float> logits;  // [batch, classes]
};
absl::StatusOr<GoldenLogits> ReadGoldenLogits(const std::string& path);

// The *.safetensors files of a folder, sorted.
std::vector<std::string> ListGoldens(const std::string& folder);

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_MODEL_GOLDEN_COMPARISON_H_
