#include "model/cpu/cpu_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "model/block_spec.h"
#include "model/cpu/network.h"
#include "model/cpu/worker_pool.h"
#include "model/normalisation.h"
#include "model/weights.h"

namespace groupmamba::cpu {
namespace {

class CpuEngine final : public Engine {
 public:
  CpuEngine(const ModelConfig& config, const WeightScope::Map& weights,
            int threads, kernels::Isa isa, kernels::Storage storage)
      : storage_(storage),
        network_(config, SpecOf(config.block), weights, isa, storage),
        side_(config.input.crop),
        classes_(config.classes),
        normalisation_(config.input),
        pool_(threads),
        scratch_(threads),
        activations_(threads) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    if (logits.size() != images.size() * classes_) {
      return absl::InternalError("the buffer for the logits has a wrong size");
    }
    // As many pictures side by side as there are threads, each on one of them:
    // no waiting between layers. What is left over, fewer than threads, runs
    // one after the other on all of them.
    const int64_t count = images.size();
    const int64_t side_by_side = count / pool_.size() * pool_.size();
    pool_.For(side_by_side, [&](int64_t n, int worker) {
      Lane lane(worker, absl::MakeSpan(scratch_), &activations_[worker]);
      Classify(images[n], lane, &logits[n * classes_]);
    });
    for (int64_t n = side_by_side; n < count; ++n) {
      Lane lane(&pool_, absl::MakeSpan(scratch_), &activations_[0]);
      Classify(images[n], lane, &logits[n * classes_]);
    }
    if (!std::all_of(logits.begin(), logits.end(),
                     [](float value) { return std::isfinite(value); })) {
      return absl::InternalError("the model's output is not finite");
    }
    return absl::OkStatus();
  }

  std::string device() const override { return "cpu"; }
  std::string precision() const override {
    return storage_ == kernels::Storage::kBf16 ? "bf16" : "fp32";
  }

 private:
  void Classify(const uint8_t* image, Lane& lane, float* logits) const {
    const auto read_row = [&](int64_t row, float* to) {
      normalisation_.Apply(image + row * side_ * 3, side_, to);
    };
    network_.Forward({side_, side_}, read_row, lane, logits);
  }

  const kernels::Storage storage_;
  const Network network_;
  const int64_t side_;
  const size_t classes_;
  const Normalisation normalisation_;
  WorkerPool pool_;
  std::vector<Scratch> scratch_;          // by worker
  std::vector<Activations> activations_;  // likewise
};

// The tensors as floats: in place where the file has them aligned, as ours do,
// and otherwise copied into `copies`.
WeightScope::Map FloatsOf(const SafetensorsFile& file,
                          std::vector<std::vector<float>>* copies) {
  WeightScope::Map weights;
  for (const auto& [name, tensor] : file.tensors()) {
    if (tensor.dtype != DType::kF32) continue;
    const size_t count = tensor.bytes.size() / sizeof(float);
    if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % alignof(float) ==
        0) {
      weights[name] = {reinterpret_cast<const float*>(tensor.bytes.data()),
                       count};
      continue;
    }
    copies->emplace_back(count);
    std::memcpy(copies->back().data(), tensor.bytes.data(),
                tensor.bytes.size());
    weights[name] = copies->back();
  }
  return weights;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> LoadCpuEngine(
    const ModelFolder& model, int threads, kernels::Isa isa,
    kernels::Storage storage) {
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, ReadWeights(model));
  std::vector<std::vector<float>> copies;
  return std::make_unique<CpuEngine>(model.config, FloatsOf(file, &copies),
                                     threads, isa, storage);
}

}  // namespace groupmamba::cpu
