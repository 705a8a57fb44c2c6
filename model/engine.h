// The model's front door: pictures in, logits out. Torch-free, so that the
// server compiles without LibTorch and tests bring a fake.

#ifndef GROUPMAMBA_MODEL_ENGINE_H_
#define GROUPMAMBA_MODEL_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
  // neighbours (on a GPU: to the products' rounding). Errors, `logits` is then
  // undefined: INTERNAL, the model failed; UNAVAILABLE, the device is lost:
  // every further call will say so, and only a new process may get it back.
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

  // "auto", "cpu", "cuda", "cuda:N". auto: a GPU, or the processor.
  std::string device = "auto";

  // "auto", "fp32", "bf16" (operands of matrix products, on a GPU all
  // activations; slower than fp32 where the processor has no instruction for
  // it). auto: bf16 on a GPU and where the processor has one.
  std::string precision = "auto";

  // On a GPU, replays a graph for each size of batch in place of single
  // launches. No GPU has run this yet.
  bool cuda_graphs = false;

  // Threads of one instance on a processor; 0: UsableCores() (base/cores.h).
  int threads = 0;
};

// Where instances with these options run: "cpu", or "cuda:N" for each GPU that
// is meant. auto without a GPU: "cpu", and in a build with CUDA a line in the
// log says why. Errors: INVALID_ARGUMENT the device; UNAVAILABLE, with the
// reason.
absl::StatusOr<std::vector<std::string>> ListDevices(
    const EngineOptions& options);

// Memory of `bytes` bytes for a picture that Infer on that device reads; pinned
// for a GPU, so that copies run beside the GPU's work. Thread-safe.
using PictureMemory = std::unique_ptr<uint8_t[], void (*)(uint8_t*)>;
PictureMemory AllocatePicture(size_t bytes, absl::string_view device);

// Reads the folder's weights, checks every one of them against `model.config`
// and the file's hash, folds the batch norms, and returns an instance that can
// run. Errors: INVALID_ARGUMENT the options; FAILED_PRECONDITION the weights,
// with the name of the tensor at fault; UNAVAILABLE the device.
absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(
    const ModelFolder& model, const EngineOptions& options);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_ENGINE_H_
