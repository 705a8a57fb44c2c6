// The model's front door: pictures in, logits out. Torch-free, so that the
// server compiles without LibTorch and tests bring a fake.

#ifndef GROUPMAMBA_MODEL_ENGINE_H_
#define GROUPMAMBA_MODEL_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config.h"

namespace groupmamba {

// One instance of a model on one device.
//
// Thread-safety: one call at a time; the instance's own thread makes them all
// (LibTorch's pool of threads belongs to the thread that calls).
class Engine {
 public:
  virtual ~Engine() = default;

  // Runs one batch. images[i] is input height * width * 3 bytes: 8-bit RGB, row
  // by row, not normalised yet. `logits` holds images.size() * classes floats;
  // row i belongs to images[i]. A picture's logits do not depend on its
  // neighbours. Errors: INTERNAL, the model failed; `logits` is then undefined.
  virtual absl::Status Infer(absl::Span<const uint8_t* const> images,
                             absl::Span<float> logits) = 0;

  // "cpu", "cuda:0", "fake".
  virtual std::string device() const = 0;

  // "fp32" or "bf16".
  virtual std::string precision() const = 0;
};

enum class EngineImplementation {
  kNative,  // our kernels
  kTorch,   // LibTorch's operators, as a reference; slower
};

struct EngineOptions {
  EngineImplementation implementation = EngineImplementation::kNative;

  // "auto", "cpu", "cuda", "cuda:N". auto: the first GPU, or the processor.
  std::string device = "auto";

  // "auto", "fp32", "bf16" (operands of matrix products; slower than fp32 where
  // the processor has no instruction for it). auto: bf16 where it has one.
  std::string precision = "auto";

  // Threads of one instance on a processor; 0: UsableCores() (base/cores.h).
  int threads = 0;
};

// Reads the folder's weights, checks every one of them against `model.config`
// and the file's hash, folds the batch norms, and returns an instance that can
// run. Errors: INVALID_ARGUMENT the options; FAILED_PRECONDITION the weights,
// with the name of the tensor at fault; UNAVAILABLE the device.
absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(
    const ModelFolder& model, const EngineOptions& options);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_ENGINE_H_
