// What a model folder says about itself: models/<name>/<version>/config.json and
// labels.txt. Torch-free.

#ifndef GROUPMAMBA_MODEL_CONFIG_H_
#define GROUPMAMBA_MODEL_CONFIG_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace groupmamba {

// The two forms of a block. They differ in structure, not only in names.
enum class BlockForm {
  kReleased,  // the authors' code, which their checkpoints need; groups LR, TB, RL, BT
  kPaper,     // the paper's equations: VSSS with residuals; groups LR, RL, TB, BT
};

inline constexpr int kStages = 4;
inline constexpr int kGroups = 4;

enum class Interpolation { kBilinear, kBicubic };

// How a picture becomes the network's input.
struct InputConfig {
  int resize = 0;  // the short side after resizing, in pixels
  int crop = 0;    // side of the square cut out of the middle, in pixels; <= resize
  Interpolation interpolation = Interpolation::kBicubic;
  // Per channel R, G, B: normalised = (value / 255 - mean) / std.
  std::array<float, 3> mean = {};
  std::array<float, 3> std = {};
};

// Everything that config.json holds.
struct ModelConfig {
  BlockForm block = BlockForm::kReleased;
  int stem_width = 0;
  std::array<int, kStages> widths = {};  // channels; multiples of 4
  std::array<int, kStages> depths = {};  // blocks, at least 1
  std::array<int, kStages> mlp_ratios = {};
  int classes = 0;
  InputConfig input;
  std::string labels_file;
  std::string weights_file;
  std::string weights_sha256;  // 64 lower-case hexadecimal digits
};

// Reads config.json. Unknown keys, missing keys, wrong types and values out of range
// are INVALID_ARGUMENT with the key's name.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json);

// The opposite, pretty-printed; what make-model, train and convert write.
std::string FormatModelConfig(const ModelConfig& config);

// tiny, small and base with the published widths, 1,000 classes and ImageNet's
// preprocessing; NOT_FOUND for another name. File names are set, the hash is not.
absl::StatusOr<ModelConfig> PublishedVariant(absl::string_view name);

// One version of a model, on disk, its labels and configuration read and checked.
struct ModelFolder {
  std::string name;
  int64_t version = 0;  // positive
  std::string path;     // never in a message to a client
  ModelConfig config;
  std::vector<std::string> labels;  // config.classes of them
};

// Reads models/<name>/<version>. Errors: INVALID_ARGUMENT, NOT_FOUND; the message
// names the file and the key, for the operator.
absl::StatusOr<ModelFolder> ReadModelFolder(const std::string& path);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONFIG_H_
