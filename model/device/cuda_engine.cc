// What no machine without a GPU can test, so it is kept small: streams, copies,
// graphs, and what becomes of CUDA's errors. No GPU has run it yet.

#include "model/device/cuda_engine.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "ATen/Context.h"
#include "ATen/cuda/CUDAEvent.h"
#include "ATen/cuda/CUDAGraph.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/zeros.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "c10/core/InferenceMode.h"
#include "c10/cuda/CUDACachingAllocator.h"
#include "c10/cuda/CUDAException.h"
#include "c10/cuda/CUDAGuard.h"
#include "c10/cuda/CUDAStream.h"
#include "kernels/cuda/kernel_table.h"
#include "model/block_spec.h"
#include "model/catch_torch.h"
#include "model/device/chunks.h"
#include "model/device/network.h"
#include "model/tensors.h"
#include "model/weights.h"

namespace groupmamba {
namespace {

// Pictures that run at once: while they do, the next ones are copied.
constexpr int64_t kChunk = 64;

constexpr int kLeastCapability = 8;  // sm_80

CUstream_st* CurrentStream() { return c10::cuda::getCurrentCUDAStream(); }

absl::Status DeviceLost(int device) {
  return absl::UnavailableError(
      absl::StrCat("cuda:", device, " failed for good"));
}

class CudaEngine final : public Engine {
 public:
  CudaEngine(const ModelConfig& config, const CudaEngineOptions& options,
             std::unique_ptr<device::Network> network)
      : options_(options),
        side_(config.input.crop),
        classes_(config.classes),
        bytes_(at::TensorOptions(at::kByte).device(
            at::Device(at::kCUDA, static_cast<int8_t>(options.device)))),
        network_(std::move(network)),
        compute_(c10::cuda::getStreamFromPool(
            /*isHighPriority=*/false, static_cast<int8_t>(options.device))),
        copies_(c10::cuda::getStreamFromPool(
            /*isHighPriority=*/false, static_cast<int8_t>(options.device))) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    if (logits.size() != images.size() * classes_) {
      return absl::InternalError("the buffer for the logits has a wrong size");
    }
    if (images.empty()) return absl::OkStatus();
    if (lost_) return DeviceLost(options_.device);
    absl::Status status = CatchingTorch("inference on a GPU",
                                        [&] { return Run(images, logits); });
    if (!status.ok() && !DeviceWorks()) {
      lost_ = true;
      status = DeviceLost(options_.device);
    }
    return status;
  }

  std::string device() const override {
    return absl::StrCat("cuda:", options_.device);
  }
  std::string precision() const override {
    return options_.bf16 ? "bf16" : "fp32";
  }

 private:
  struct Graph {
    at::cuda::CUDAGraph graph;
    at::Tensor pictures;
    at::Tensor logits;
  };

  // An error that stays with the device comes again from here; others do not.
  bool DeviceWorks() const {
    static_cast<void>(cudaGetLastError());
    return cudaSetDevice(options_.device) == cudaSuccess &&
           cudaDeviceSynchronize() == cudaSuccess;
  }

  // Both streams are idle when it begins and, unless it throws, when it ends:
  // so nobody reads the device's pictures when the next batch is copied there.
  absl::Status Run(absl::Span<const uint8_t* const> images,
                   absl::Span<float> logits) {
    const c10::InferenceMode inference;
    const c10::cuda::CUDAStreamGuard guard(compute_);
    Reserve(static_cast<int64_t>(images.size()));
    device::RunInChunks(
        static_cast<int64_t>(images.size()), &chunk_,
        [&](int64_t first, int64_t count) {
          RunChunk(images.subspan(first, count), first);
        },
        [&] {
          C10_CUDA_CHECK(cudaDeviceSynchronize());
          c10::cuda::CUDACachingAllocator::emptyCache();
          Log(LogLevel::kWarning, "the GPU's memory is out",
              {{"device", device()}, {"chunk", chunk_}});
        });
    compute_.synchronize();
    std::memcpy(logits.data(), host_logits_.const_data_ptr<float>(),
                logits.size() * sizeof(float));
    if (!std::all_of(logits.begin(), logits.end(),
                     [](float value) { return std::isfinite(value); })) {
      return absl::InternalError("the model's output is not finite");
    }
    return absl::OkStatus();
  }

  void Reserve(int64_t count) {
    if (pictures_.defined() && pictures_.size(0) >= count) return;
    pictures_ = at::empty({count, side_, side_, 3}, bytes_);
    host_logits_ = at::empty({count, static_cast<int64_t>(classes_)},
                             at::TensorOptions(at::kFloat).pinned_memory(true));
  }

  // Puts it on the streams; the answer is not there yet.
  void RunChunk(absl::Span<const uint8_t* const> images, int64_t first) {
    const auto count = static_cast<int64_t>(images.size());
    const at::Tensor pictures = pictures_.narrow(0, first, count);
    const int64_t picture_bytes = side_ * side_ * 3;
    auto* to = pictures.mutable_data_ptr<uint8_t>();
    for (const uint8_t* image : images) {
      C10_CUDA_CHECK(cudaMemcpyAsync(to, image, picture_bytes,
                                     cudaMemcpyHostToDevice, copies_));
      to += picture_bytes;
    }
    at::cuda::CUDAEvent copied;
    copied.record(copies_);
    copied.block(compute_);
    const at::Tensor logits =
        options_.graphs ? Replay(pictures) : network_->Forward(pictures);
    host_logits_.narrow(0, first, count).copy_(logits, /*non_blocking=*/true);
  }

  at::Tensor Replay(const at::Tensor& pictures) {
    const int64_t count = pictures.size(0);
    int64_t size = 1;
    while (size < count) size *= 2;
    std::unique_ptr<Graph>& graph = graphs_[size];
    if (graph == nullptr) graph = Capture(size);
    graph->pictures.narrow(0, 0, count).copy_(pictures);
    graph->graph.replay();
    return graph->logits.narrow(0, 0, count);
  }

  std::unique_ptr<Graph> Capture(int64_t size) {
    auto graph = std::make_unique<Graph>();
    graph->pictures = at::zeros({size, side_, side_, 3}, bytes_);
    // Once before, so that libraries and scratch memory are ready.
    network_->Forward(graph->pictures);
    compute_.synchronize();
    // Other instances' threads may allocate meanwhile.
    graph->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    graph->logits = network_->Forward(graph->pictures);
    graph->graph.capture_end();
    return graph;
  }

  const CudaEngineOptions options_;
  const int64_t side_;
  const size_t classes_;
  const at::TensorOptions bytes_;  // on the device
  const std::unique_ptr<device::Network> network_;
  const c10::cuda::CUDAStream compute_, copies_;
  int64_t chunk_ = kChunk;
  at::Tensor pictures_;     // [at least the batch, side, side, 3]
  at::Tensor host_logits_;  // likewise, pinned
  std::map<int64_t, std::unique_ptr<Graph>> graphs_;  // by size
  bool lost_ = false;
};

absl::Status CheckCapability(int device) {
  cudaDeviceProp properties;
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
  if (properties.major >= kLeastCapability) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "device cuda:", device, " has compute capability ", properties.major, ".",
      properties.minor, "; at least ", kLeastCapability, ".0 is needed"));
}

// Sums in fp32, products of fp32 operands in fp32. Settings of the process.
void ChooseExactArithmetic() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

}  // namespace

absl::StatusOr<int> CountGpus() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return absl::UnavailableError(
        absl::StrCat("no GPU can be used: ", cudaGetErrorString(error)));
  }
  if (count < 1) return absl::UnavailableError("there is no GPU");
  return count;
}

absl::StatusOr<std::unique_ptr<Engine>> LoadCudaEngine(
    const ModelFolder& model, const CudaEngineOptions& options) {
  GM_RETURN_IF_ERROR(device::CheckSupported(model.config));
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(model));
  std::unique_ptr<Engine> engine;
  GM_RETURN_IF_ERROR(CatchingTorch("loading on a GPU", [&]() -> absl::Status {
    const auto index = static_cast<int8_t>(options.device);
    const c10::cuda::CUDAGuard guard(index);
    GM_RETURN_IF_ERROR(CheckCapability(index));
    ChooseExactArithmetic();
    int multiprocessors = 0;
    C10_CUDA_CHECK(cudaDeviceGetAttribute(
        &multiprocessors, cudaDevAttrMultiProcessorCount, index));
    auto network = std::make_unique<device::Network>(
        model.config, SpecOf(model.config.block), TensorsOf(weights),
        device::Device{.place = at::Device(at::kCUDA, index),
                       .type = options.bf16 ? at::kBFloat16 : at::kFloat,
                       .kernels = &cuda::CudaKernels(),
                       .stream = CurrentStream,
                       .multiprocessors = multiprocessors});
    // The weights' copies ran on another stream than the engine's.
    C10_CUDA_CHECK(cudaDeviceSynchronize());
    engine =
        std::make_unique<CudaEngine>(model.config, options, std::move(network));
    return absl::OkStatus();
  }));
  return engine;
}

PictureMemory AllocatePinned(size_t bytes) {
  void* memory = nullptr;
  if (cudaHostAlloc(&memory, bytes, cudaHostAllocPortable) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return AllocatePicture(bytes, "cpu");
  }
  return PictureMemory(static_cast<uint8_t*>(memory),
                       [](uint8_t* pinned) { cudaFreeHost(pinned); });
}

}  // namespace groupmamba
