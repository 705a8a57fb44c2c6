#include "model/training/batch.h"

#include <algorithm>

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"

namespace groupmamba::training {
namespace {

Batch EmptyBytes(int64_t count, int side) {
  return {.images = at::empty({count, 1, side, side}, at::kByte),
          .labels = at::empty({count}, at::kLong)};
}

absl::Span<uint8_t> Row(const at::Tensor& bytes, int64_t row) {
  const int64_t size = bytes.stride(0);
  return {bytes.data_ptr<uint8_t>() + row * size, static_cast<size_t>(size)};
}

// Gray bytes [n, 1, side, side] -> normalised R, G, B, as the engine does it.
at::Tensor Normalise(const at::Tensor& bytes, const InputConfig& input) {
  const auto channels = [](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values.data(), values.size()))
        .view({1, 3, 1, 1});
  };
  return (bytes.to(at::kFloat) / 255 - channels(input.mean)) /
         channels(input.std);
}

}  // namespace

Batch TrainingBatch(const Pictures& pictures, absl::Span<const int32_t> indices,
                    const InputConfig& input, const AugmentSpec& augment,
                    uint64_t seed, int64_t epoch) {
  Batch batch = EmptyBytes(indices.size(), pictures.side);
  for (size_t i = 0; i < indices.size(); ++i) {
    const Random random({seed, static_cast<uint64_t>(epoch),
                         static_cast<uint64_t>(indices[i])});
    Augment(augment, pictures.side, random, pictures.picture(indices[i]),
            Row(batch.images, i));
    batch.labels.data_ptr<int64_t>()[i] = pictures.labels[indices[i]];
  }
  batch.images = Normalise(batch.images, input);
  return batch;
}

Batch TestBatch(const Pictures& pictures, int64_t first, int64_t count,
                const InputConfig& input) {
  Batch batch = EmptyBytes(count, pictures.side);
  for (int64_t i = 0; i < count; ++i) {
    const absl::Span<const uint8_t> picture = pictures.picture(first + i);
    std::copy(picture.begin(), picture.end(), Row(batch.images, i).begin());
    batch.labels.data_ptr<int64_t>()[i] = pictures.labels[first + i];
  }
  batch.images = Normalise(batch.images, input);
  return batch;
}

}  // namespace groupmamba::training
