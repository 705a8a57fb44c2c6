#include "model/training/batch.h"

#include <utility>

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"

namespace groupmamba::training {
namespace {

// Row i holds row i ^ 1 of x; the last of an odd number itself.
at::Tensor Neighbours(const at::Tensor& x) {
  at::Tensor order =
      at::arange(x.size(0), x.options().dtype(at::kLong)).bitwise_xor(1);
  return x.index_select(0, order.clamp_max(x.size(0) - 1));
}

// On the device; to a GPU from pinned memory, and the copy may still be under
// way when it returns.
at::Tensor Moved(const at::Tensor& x, at::Device device) {
  return device.is_cpu() ? x : x.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace

Batch MakeBatch(const LoadedBatch& loaded, const InputConfig& input,
                at::Device device) {
  const auto n = static_cast<int64_t>(loaded.labels.size());
  // from_blob takes no const; the bytes are only read.
  at::Tensor bytes = at::from_blob(const_cast<uint8_t*>(loaded.pixels.data()),
                                   {n, input.crop, input.crop, 3}, at::kByte);
  bytes = Moved(bytes, device).permute({0, 3, 1, 2});
  const auto channels = [device](const std::array<float, 3>& values) {
    // Filled where they are: a copy would wait for the pictures'.
    at::Tensor all =
        at::empty({1, 3, 1, 1}, at::TensorOptions(at::kFloat).device(device));
    for (int c = 0; c < 3; ++c) all.select(1, c).fill_(values[c]);
    return all;
  };
  return {.images = (bytes.to(at::kFloat) / 255 - channels(input.mean)) /
                    channels(input.std),
          .labels = Moved(
              at::tensor(at::ArrayRef<int32_t>(loaded.labels)).to(at::kLong),
              device),
          .pictures = loaded.pictures,
          .share = 1};
}

void ApplyMix(const Mix& mix, Batch* batch) {
  if (mix.share == 1) return;
  batch->share = mix.share;
  const at::Tensor neighbours = Neighbours(batch->images);
  const cv::Rect& box = mix.box;
  if (box.empty()) {
    batch->images.mul_(mix.share).add_(neighbours, 1 - mix.share);
  } else {
    const auto part = [&box](const at::Tensor& x) {
      return x.narrow(2, box.y, box.height).narrow(3, box.x, box.width);
    };
    part(batch->images).copy_(part(neighbours));
  }
}

at::Tensor SoftTargets(const at::Tensor& labels, int64_t classes,
                       double smoothing, double share) {
  const at::TensorOptions options = labels.options().dtype(at::kFloat);
  const at::Tensor smooth =
      at::full({labels.size(0), classes},
               smoothing / static_cast<double>(classes), options)
          .scatter_add_(1, labels.unsqueeze(1),
                        at::full({labels.size(0), 1}, 1 - smoothing, options));
  return share == 1 ? smooth
                    : smooth * share + Neighbours(smooth) * (1 - share);
}

}  // namespace groupmamba::training
