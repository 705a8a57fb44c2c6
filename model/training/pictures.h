// The training pictures as the network will see them: enlarged once, by the
// server's own TransformImage, so that training and serving see the same
// pixels.

#ifndef GROUPMAMBA_MODEL_TRAINING_PICTURES_H_
#define GROUPMAMBA_MODEL_TRAINING_PICTURES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config.h"
#include "model/training/fashion.h"

namespace groupmamba::training {

// Gray pictures, side x side. One channel is kept: of a gray picture the
// server's three are equal.
struct Pictures {
  int side = 0;                 // pixels
  std::vector<uint8_t> pixels;  // count * side * side
  std::vector<uint8_t> labels;  // count

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  absl::Span<const uint8_t> picture(int64_t i) const {
    const int64_t size = int64_t{side} * side;
    return absl::MakeConstSpan(pixels).subspan(i * size, size);
  }
};

// Every picture resized and cropped as `input` says.
absl::StatusOr<Pictures> Enlarge(const FashionData& data,
                                 const InputConfig& input);

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_MODEL_TRAINING_PICTURES_H_
