// make-model: writes a servable folder with the formula's weights, for benches
// and tests. What it answers means nothing; how fast it answers does.

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/config.h"
#include "model/folder_writer.h"
#include "model/formula_weights.h"
#include "model/manifest.h"
#include "model/safetensors.h"

namespace groupmamba {
namespace {

constexpr char kUsage[] =
    "Usage: make-model VARIANT SEED OUT_DIR\n"
    "Writes OUT_DIR/VARIANT/1 with config.json, model.safetensors and "
    "labels.txt:\n"
    "made-up weights and labels, for benches and tests.\n"
    "  VARIANT  tiny, small or base\n"
    "  SEED     0 to 2^64 - 1; the goldens use 1\n";

absl::Status MakeModel(const ModelConfig& config, uint64_t seed,
                       const std::string& folder) {
  GM_ASSIGN_OR_RETURN(const auto weights, FormulaWeights(config, seed));
  std::map<std::string, TensorBytes> tensors;
  for (const ParameterSpec& spec : ListParameters(config)) {
    const auto found = weights.find(spec.name);
    if (found == weights.end()) continue;  // a counter
    tensors[spec.name] = ViewOf(found->second, spec.shape);
  }
  return WriteModelFolder(folder, config, tensors,
                          {{"seed", absl::StrCat(seed)}},
                          NumberedLabels(config.classes));
}

int Main(int argc, char** argv) {
  if (argc == 2 && absl::string_view(argv[1]) == "--help") {
    absl::PrintF("%s", kUsage);
    return 0;
  }
  if (argc != 4) {
    absl::FPrintF(stderr, "make-model: needs three arguments\n%s", kUsage);
    return 2;
  }
  const absl::StatusOr<ModelConfig> config = PublishedVariant(argv[1]);
  if (!config.ok()) {
    absl::FPrintF(stderr, "make-model: VARIANT: %s\n",
                  config.status().message());
    return 2;
  }
  uint64_t seed = 0;
  if (!absl::SimpleAtoi(argv[2], &seed)) {
    absl::FPrintF(stderr,
                  "make-model: SEED: not a number from 0 to 2^64 - 1\n");
    return 2;
  }
  const std::string folder = absl::StrCat(argv[3], "/", argv[1], "/1");
  const absl::Status status = MakeModel(*config, seed, folder);
  if (!status.ok()) {
    absl::FPrintF(stderr, "make-model: %s\n", status.message());
    return 1;
  }
  absl::PrintF("%s\n", folder);
  return 0;
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) { return groupmamba::Main(argc, argv); }
