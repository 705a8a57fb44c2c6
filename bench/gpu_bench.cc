// How fast the CUDA engine is on the first GPU, and how near to the GPU's
// limits. `./dev bench-gpu` runs the device's tests and then this. No GPU has
// run it yet.
//
// 1. The roofs, measured: a copy in device memory, and a bf16 (or fp32) matrix
//    product of 8192 cubed.
// 2. Our kernels inside a forward of tiny at --batch: for each kernel and size
//    of picture its launches, time, bytes of inputs and outputs, and their rate
//    beside the copy's.
// 3. The engine as the server calls it, by batch: pictures a second beside the
//    product's roof (operations fixed at 9.30, 14.41, 28.13 G a picture) and
//    the copy's (tiny's traffic of docs/kernels.md).

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/mm.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/zeros.h"
#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "bench/provenance.h"
#include "c10/core/InferenceMode.h"
#include "c10/cuda/CUDAException.h"
#include "c10/cuda/CUDAStream.h"
#include "kernels/cuda/kernel_table.h"
#include "model/device/network.h"
#include "model/engine.h"
#include "model/tensors.h"
#include "model/weights.h"
#include "tests/kernels/cuda/executor_kernels.h"

namespace groupmamba::bench {
namespace {

struct Options {
  std::string models = "build/models";
  std::vector<std::string> variants = {"tiny"};
  std::vector<int> batches = {1, 8, 32, 64, 128};
  std::string precision = "bf16";
  int batch = 64;  // of the kernels' part
  int rounds = 20;
  bool graphs = false;
};

// MB a picture that tiny's forward moves in bf16: docs/kernels.md.
constexpr double kTinyMegabytes = 180.1;

double GflopsOf(const std::string& variant) {
  static const std::map<std::string, double> gflops = {
      {"tiny", 9.30}, {"small", 14.41}, {"base", 28.13}};
  const auto found = gflops.find(variant);
  return found == gflops.end() ? 0 : found->second;
}

at::TensorOptions OnGpu(at::ScalarType type) {
  return at::TensorOptions(type).device(at::kCUDA);
}

at::ScalarType TypeOf(const Options& options) {
  return options.precision == "bf16" ? at::kBFloat16 : at::kFloat;
}

CUstream_st* Stream() { return c10::cuda::getCurrentCUDAStream(); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Seconds of `run` on the GPU, the median of the rounds after one to warm up.
double SecondsOf(int rounds, const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int round = -1; round < rounds; ++round) {
    C10_CUDA_CHECK(cudaDeviceSynchronize());
    const absl::Time start = absl::Now();
    run();
    C10_CUDA_CHECK(cudaDeviceSynchronize());
    if (round >= 0) {
      seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    }
  }
  return Median(std::move(seconds));
}

struct Roofs {
  double bytes_per_s;
  double flops_per_s;
};

Roofs MeasureRoofs(const Options& options) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  const at::Tensor from = at::zeros({kBytes}, OnGpu(at::kByte));
  at::Tensor to = at::empty_like(from);
  const double copy = SecondsOf(options.rounds, [&] { to.copy_(from); });
  constexpr int64_t kSide = 8192;
  const at::Tensor a = at::ones({kSide, kSide}, OnGpu(TypeOf(options)));
  const double product = SecondsOf(options.rounds, [&] { at::mm(a, a); });
  const Roofs roofs = {2.0 * kBytes / copy,
                       2.0 * kSide * kSide * kSide / product};
  std::printf("copy %.0f GB/s, %s product %.0f TFLOP/s\n",
              roofs.bytes_per_s / 1e9, options.precision.c_str(),
              roofs.flops_per_s / 1e12);
  return roofs;
}

// ---- our kernels, timed where they stand

class Profile {
 public:
  struct Entry {
    int launches = 0;
    double milliseconds = 0;
    double bytes = 0;
  };

  // Runs `launch`, and `record`, the same launch on the executor's table, whose
  // log knows its name and bytes.
  cuda::LaunchError Time(const std::function<cuda::LaunchError()>& launch,
                         const std::function<void()>& record) {
    cudaEvent_t begin, end;
    C10_CUDA_CHECK(cudaEventCreate(&begin));
    C10_CUDA_CHECK(cudaEventCreate(&end));
    C10_CUDA_CHECK(cudaEventRecord(begin, Stream()));
    const cuda::LaunchError error = launch();
    C10_CUDA_CHECK(cudaEventRecord(end, Stream()));
    C10_CUDA_CHECK(cudaEventSynchronize(end));
    float milliseconds = 0;
    C10_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    C10_CUDA_CHECK(cudaEventDestroy(begin));
    C10_CUDA_CHECK(cudaEventDestroy(end));
    testing::LaunchLog log;
    record();
    Entry& entry = entries_[{log.records[0].tokens, log.records[0].kernel}];
    ++entry.launches;
    entry.milliseconds += milliseconds;
    entry.bytes += static_cast<double>(log.records[0].bytes);
    return error;
  }

  void Clear() { entries_.clear(); }
  void Print(const Roofs& roofs) const {
    std::printf("%-20s %8s %8s %10s %10s %8s %8s\n", "kernel", "tokens",
                "launches", "us each", "MB each", "GB/s", "of copy");
    for (const auto& [key, entry] : entries_) {
      const double rate = entry.bytes / entry.milliseconds * 1e3;
      std::printf("%-20s %8lld %8d %10.1f %10.2f %8.0f %8.2f\n",
                  key.second.c_str(), static_cast<long long>(key.first),
                  entry.launches, 1e3 * entry.milliseconds / entry.launches,
                  entry.bytes / entry.launches / 1e6, rate / 1e9,
                  rate / roofs.bytes_per_s);
    }
  }

 private:
  std::map<std::pair<int64_t, std::string>, Entry> entries_;
};

Profile profile;

// The member of the table, timed.
template <auto kMember, class... Arguments>
cuda::LaunchError Timed(Arguments... arguments) {
  return profile.Time(
      [&] { return (cuda::CudaKernels().*kMember)(arguments...); },
      [&] { (testing::ExecutorKernels().*kMember)(arguments...); });
}
template <auto kMember, class... Arguments>
constexpr auto TimedAs(cuda::LaunchError (*)(Arguments...)) {
  return &Timed<kMember, Arguments...>;
}
#define GM_TIMED(member) \
  TimedAs<&cuda::KernelTable::member>(decltype(cuda::KernelTable::member){})

const cuda::KernelTable& TimedKernels() {
  static constexpr cuda::KernelTable kTable = {
      GM_TIMED(normalise),  GM_TIMED(layer_norm),   GM_TIMED(affinity),
      GM_TIMED(ss2d_core),  GM_TIMED(gated_norm),   GM_TIMED(depthwise_gelu),
      GM_TIMED(token_mean), GM_TIMED(ss2d_backward)};
  return kTable;
}

absl::Status ProfileKernels(const Options& options, const std::string& variant,
                            const Roofs& roofs) {
  GM_ASSIGN_OR_RETURN(const ModelFolder model,
                      ReadModelFolder(options.models + "/" + variant + "/1"));
  GM_ASSIGN_OR_RETURN(const SafetensorsFile weights, ReadWeights(model));
  int multiprocessors = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors,
                                        cudaDevAttrMultiProcessorCount, 0));
  const c10::InferenceMode inference;
  const device::Network network(model.config, SpecOf(model.config.block),
                                TensorsOf(weights),
                                {.place = at::Device(at::kCUDA, 0),
                                 .type = TypeOf(options),
                                 .kernels = &TimedKernels(),
                                 .stream = Stream,
                                 .multiprocessors = multiprocessors});
  const int64_t side = model.config.input.crop;
  const at::Tensor pictures =
      at::zeros({options.batch, side, side, 3}, OnGpu(at::kByte));
  network.Forward(pictures);  // warms up
  profile.Clear();
  network.Forward(pictures);
  std::printf("\n%s, batch %d, one forward:\n", variant.c_str(), options.batch);
  profile.Print(roofs);
  return absl::OkStatus();
}

// ---- the engine

absl::Status MeasureEngine(const Options& options, const std::string& variant,
                           const Roofs& roofs) {
  GM_ASSIGN_OR_RETURN(const ModelFolder model,
                      ReadModelFolder(options.models + "/" + variant + "/1"));
  GM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                      LoadEngine(model, {.device = "cuda:0",
                                         .precision = options.precision,
                                         .cuda_graphs = options.graphs}));
  const int64_t side = model.config.input.crop;
  std::vector<PictureMemory> pictures;
  for (int i = 0;
       i < *std::max_element(options.batches.begin(), options.batches.end());
       ++i) {
    pictures.push_back(AllocatePicture(3 * side * side, "cuda:0"));
    std::fill_n(pictures.back().get(), 3 * side * side, uint8_t(i));
  }
  std::printf("\n%s %s%s: images/s, share of the product's and of the copy's\n",
              variant.c_str(), options.precision.c_str(),
              options.graphs ? " with graphs" : "");
  for (const int batch : options.batches) {
    std::vector<const uint8_t*> images;
    for (int i = 0; i < batch; ++i) images.push_back(pictures[i].get());
    std::vector<float> logits(size_t(batch) * model.config.classes);
    absl::Status status;
    const double rate = batch / SecondsOf(options.rounds, [&] {
                          status =
                              engine->Infer(images, absl::MakeSpan(logits));
                        });
    GM_RETURN_IF_ERROR(status);
    std::printf("batch %4d: %9.0f  %.3f", batch, rate,
                rate * GflopsOf(variant) * 1e9 / roofs.flops_per_s);
    if (variant == "tiny" && options.precision == "bf16") {
      std::printf("  %.3f", rate * kTinyMegabytes * 1e6 / roofs.bytes_per_s);
    }
    std::printf("\n");
  }
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  GM_RETURN_IF_ERROR(ListDevices({.device = "cuda:0"}).status());
  cudaDeviceProp gpu;
  C10_CUDA_CHECK(cudaGetDeviceProperties(&gpu, 0));
  std::printf("%s; %s, %d multiprocessors\n", Provenance().c_str(), gpu.name,
              gpu.multiProcessorCount);
  const Roofs roofs = MeasureRoofs(options);
  for (const std::string& variant : options.variants) {
    GM_RETURN_IF_ERROR(ProfileKernels(options, variant, roofs));
    GM_RETURN_IF_ERROR(MeasureEngine(options, variant, roofs));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace groupmamba::bench

int main(int argc, char** argv) {
  groupmamba::bench::Options options;
  CLI::App app(
      "The CUDA engine and its kernels on the first GPU, beside the GPU's "
      "limits.\nThe models are what `./dev make-model VARIANT` writes.");
  app.add_option("--variants", options.variants, "tiny,small,base")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--batches", options.batches, "Pictures a call")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Pictures of the kernels' forward")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--precision", options.precision, "bf16 or fp32")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  app.add_option("--models", options.models, "Folder of models")
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--graphs", options.graphs, "Replay graphs");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = groupmamba::bench::Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "gpu_bench: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
