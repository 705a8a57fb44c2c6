// The engine over LibTorch.

#include "model/torch_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "absl/status/status.h"
#include "base/status_macros.h"
#include "c10/core/InferenceMode.h"
#include "model/catch_torch.h"
#include "model/freed_memory.h"
#include "model/network.h"
#include "model/normalisation.h"
#include "model/tensors.h"
#include "model/weights.h"

namespace groupmamba {
namespace {

// Keeps what a batch frees inside the process for the next one. By default
class TorchEngine final : public Engine {
 public:
  TorchEngine(std::unique_ptr<Network> network, const ModelConfig& config,
              int threads)
      : network_(std::move(network)),
        side_(config.input.crop),
        classes_(config.classes),
        threads_(threads),
        normalisation_(config.input) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    if (logits.size() != images.size() * classes_) {
      return absl::InternalError("the buffer for the logits has a wrong size");
    }
    if (images.empty()) return absl::OkStatus();
    return CatchingTorch("inference", [&] { return Run(images, logits); });
  }

  std::string device() const override { return "cpu"; }
  std::string precision() const override { return "fp32"; }

 private:
  absl::Status Run(absl::Span<const uint8_t* const> images,
                   absl::Span<float> logits) const {
    // A setting of the calling thread, whose OpenMP pool does the work.
    if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
    // Pictures side by side, each on one thread: no barriers between operators,
    // and no product whose rounding depends on the batch's size. A picture
    // alone gets all the threads, which changes its bits, if at all, where an
    // elementwise operator's share is not a multiple of the vector.
    at::parallel_for(0, images.size(), /*grain_size=*/1,
                     [&](int64_t begin, int64_t end) {
                       const c10::InferenceMode inference;  // of this thread
                       for (int64_t n = begin; n < end; ++n) {
                         Classify(images[n], logits.data() + n * classes_);
                       }
                     });
    if (!std::all_of(logits.begin(), logits.end(),
                     [](float value) { return std::isfinite(value); })) {
      return absl::InternalError("the model's output is not finite");
    }
    return absl::OkStatus();
  }

  void Classify(const uint8_t* image, float* logits) const {
    const at::Tensor output =
        network_->Forward(Normalised(image), {}).Mean().contiguous();
    std::memcpy(logits, output.const_data_ptr<float>(), output.nbytes());
  }

  // The picture, normalised, as a tensor [1, 3, side, side].
  at::Tensor Normalised(const uint8_t* image) const {
    const at::Tensor input =
        at::empty({1, 3, side_, side_},
                  at::TensorOptions(at::kFloat)
                      .memory_format(at::MemoryFormat::ChannelsLast));
    const int64_t row = side_ * 3;
    float* const to = input.mutable_data_ptr<float>();
    at::parallel_for(
        0, side_, /*grain_size=*/64, [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; ++r) {
            normalisation_.Apply(image + r * row, side_, to + r * row);
          }
        });
    return input;
  }

  const std::unique_ptr<Network> network_;
  const int64_t side_;
  const size_t classes_;
  const int threads_;
  const Normalisation normalisation_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> LoadTorchEngine(
    const ModelFolder& model, int threads) {
  KeepFreedMemory();
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(model));
  std::unique_ptr<Network> network;
  GM_RETURN_IF_ERROR(CatchingTorch("loading", [&]() -> absl::Status {
    GM_ASSIGN_OR_RETURN(network,
                        Network::Create(model.config, TensorsOf(weights)));
    network->FoldBatchNorms();
    return absl::OkStatus();
  }));
  return std::make_unique<TorchEngine>(std::move(network), model.config,
                                       threads);
}

}  // namespace groupmamba
