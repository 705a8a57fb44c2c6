#include "bench/naive_engine.h"

#include <cstring>
#include <string>
#include <utility>

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "absl/status/status.h"
#include "base/status_macros.h"
#include "c10/core/InferenceMode.h"
#include "model/normalisation.h"
#include "model/tensors.h"
#include "model/weights.h"
#include "tests/reference/naive_network.h"

namespace groupmamba::bench {
namespace {

class NaiveEngine final : public Engine {
 public:
  NaiveEngine(const ModelConfig& config, TensorMap weights, int threads,
              bool bf16)
      : config_(config),
        weights_(std::move(weights)),
        threads_(threads),
        bf16_(bf16),
        normalisation_(config.input) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    const c10::InferenceMode inference;
    at::set_num_threads(threads_);
    const int64_t side = config_.input.crop;
    const at::Tensor rows =
        at::empty({static_cast<int64_t>(images.size()), side, side, 3});
    for (size_t n = 0; n < images.size(); ++n) {
      normalisation_.Apply(images[n], side * side,
                           rows[n].mutable_data_ptr<float>());
    }
    const at::Tensor output =
        reference::NaiveLogits(config_, weights_,
                               rows.permute({0, 3, 1, 2}).contiguous(), bf16_)
            .contiguous();
    std::memcpy(logits.data(), output.const_data_ptr<float>(), output.nbytes());
    return absl::OkStatus();
  }

  std::string device() const override { return "cpu"; }
  std::string precision() const override { return bf16_ ? "bf16" : "fp32"; }

 private:
  const ModelConfig config_;
  const TensorMap weights_;
  const int threads_;
  const bool bf16_;
  const Normalisation normalisation_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> LoadNaiveEngine(
    const ModelFolder& model, int threads, bool bf16) {
  if (model.config.block != BlockForm::kReleased) {
    return absl::FailedPreconditionError("naive: the released form only");
  }
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(model));
  return std::make_unique<NaiveEngine>(model.config, TensorsOf(weights),
                                       threads, bf16);
}

}  // namespace groupmamba::bench
