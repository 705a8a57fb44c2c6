// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747; Zalando Research, MIT
// licence): 60,000 training and 10,000 test pictures, 28x28, gray, ten classes.

#ifndef GROUPMAMBA_MODEL_TRAINING_FASHION_H_
#define GROUPMAMBA_MODEL_TRAINING_FASHION_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/training/pictures.h"

namespace groupmamba::training {

// Where Debian's package dataset-fashion-mnist puts its four files.
inline constexpr char kFashionFolder[] = "/usr/share/datasets/fashion-mnist";

inline constexpr int kFashionSide = 28;
inline constexpr int kFashionClasses = 10;
inline constexpr std::array<absl::string_view, kFashionClasses> kFashionLabels =
    {"T-shirt", "Trouser", "Pullover", "Dress", "Coat",
     "Sandal",  "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

enum class FashionSplit { kTrain, kTest };

struct FashionData {
  std::vector<uint8_t> pixels;  // count * 28 * 28, row by row; 0 is black
  std::vector<uint8_t> labels;  // count, each below 10

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  absl::Span<const uint8_t> picture(int64_t i) const {
    constexpr int64_t kPixels = kFashionSide * kFashionSide;
    return absl::MakeConstSpan(pixels).subspan(i * kPixels, kPixels);
  }
};

// Reads one split from `folder`, its first `limit` pictures only unless `limit`
// is 0. Errors: those of ReadIdx; INVALID_ARGUMENT when pictures and labels do
// not match.
absl::StatusOr<FashionData> ReadFashion(const std::string& folder,
                                        FashionSplit split, int64_t limit = 0);

// The same as a source of pictures: 28x28, the three channels equal, as the
// server decodes a gray picture.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenFashion(
    const std::string& folder, FashionSplit split, int64_t limit = 0);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_FASHION_H_
