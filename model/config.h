// What a model folder says about itself: models/<name>/<version>/config.json
// and labels.txt. Torch-free.

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
  kReleased,  // the authors' code, which their checkpoints need; groups LR, TB,
              // RL, BT
  kPaper,  // the paper's equations: VSSS with residuals; groups LR, RL, TB, BT
};

inline constexpr int kStages = 4;
inline constexpr int kGroups = 4;

enum class Interpolation { kBilinear, kBicubic };

// How a picture becomes the network's input.
struct InputConfig {
  int resize = 0;  // the short side after resizing, in pixels; 32 to 2048
  int crop = 0;    // side of the square cut out of the middle, in pixels;
                   // 32 to resize
  Interpolation interpolation = Interpolation::kBicubic;
  // Per channel R, G, B: normalised = (value / 255 - mean) / std; mean within
  // 1000 of 0, std from 0.001 to 1000.
  std::array<float, 3> mean = {};
  std::array<float, 3> std = {};
};

// Everything that config.json holds. The geometry is not in it: there are
// always four stages; the stem divides height and width by 4, each later stage
// by 2.
struct ModelConfig {
  BlockForm block = BlockForm::kReleased;
  int stem_width = 0;                        // channels; 1 to 4096
  std::array<int, kStages> widths = {};      // channels; multiples of 4 to 4096
  std::array<int, kStages> depths = {};      // blocks; 1 to 64
  std::array<int, kStages> mlp_ratios = {};  // hidden width / width; 1 to 16
  int classes = 0;                           // 1 to 1,000,000
  InputConfig input;
  std::string labels_file;     // a plain name (IsPlainName), in the same folder
  std::string weights_file;    // likewise, ending in .safetensors
  std::string weights_sha256;  // 64 lower-case hexadecimal digits
};

// Whether a name is safe in a path, a metric's label and a log line: 1 to 64 of
// A-Z a-z 0-9 . _ - and no dot at the beginning. Names of models and of the
// files in their folders are such names.
bool IsPlainName(absl::string_view name);

// Reads config.json. Unknown keys, missing and repeated keys, wrong types and
// values out of range are INVALID_ARGUMENT with the key's name, and so are more
// than 1 MiB.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json);

// The opposite, pretty-printed; what make-model, train and convert write. A
// configuration within the ranges above comes back equal from ParseModelConfig.
std::string FormatModelConfig(const ModelConfig& config);

// tiny, small and base with the published widths, 1,000 classes and ImageNet's
// preprocessing; NOT_FOUND for another name. File names are set, the hash is
// not.
absl::StatusOr<ModelConfig> PublishedVariant(absl::string_view name);

// One version of a model, on disk, its labels and configuration read and
// checked.
struct ModelFolder {
  std::string name;
  int64_t version = 0;  // positive
  std::string path;     // never in a message to a client
  ModelConfig config;
  std::vector<std::string> labels;  // config.classes of them
};

// Reads models/<name>/<version>. `path` must end in these two; the name is
// plain (IsPlainName), the version a positive integer without leading zeros.
// labels.txt holds one label a line: UTF-8, 1 to 256 bytes, no control
// characters. Errors: INVALID_ARGUMENT, NOT_FOUND; the message names the file
// and the key or line, for the operator.
absl::StatusOr<ModelFolder> ReadModelFolder(const std::string& path);

// The lines of a labels.txt, as above. INVALID_ARGUMENT names the line.
absl::StatusOr<std::vector<std::string>> ParseLabels(const std::string& text);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONFIG_H_
