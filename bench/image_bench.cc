// What a picture costs before it reaches the model, on one thread: decoding,
// the resize with each kernel, and the most that a hostile file within the
// limits can take (the limit: DecodeLimits::max_time, 500 ms; the column CPU is
// to be compared).

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "benchmark/benchmark.h"
#include "model/image/decode.h"
#include "model/image/resample.h"
#include "model/image/transform.h"
#include "model/image/window.h"
#include "opencv2/core/mat.hpp"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

constexpr TransformSpec kSpec = {256, 224, 224, ResizeFilter::kBicubic};

// A photograph's share of noise: JPEG at quality 90 takes 2 to 3 bits a pixel.
cv::Mat Photo(int64_t width, int64_t height) {
  return MakePicture(static_cast<int>(width), static_cast<int>(height), 3, 1);
}

void SetPixelsPerSecond(benchmark::State& state, int64_t width,
                        int64_t height) {
  state.counters["pixels/s"] =
      benchmark::Counter(static_cast<double>(width * height),
                         benchmark::Counter::kIsIterationInvariantRate);
}

enum Format { kJpeg, kProgressiveJpeg, kPng, kWebp };

Bytes Encode(const cv::Mat& picture, int64_t format) {
  JpegOptions options;
  options.progressive = format == kProgressiveJpeg;
  switch (format) {
    case kPng:
      return EncodePng(picture);
    case kWebp:
      return EncodeWebp(picture, false);
    default:
      return EncodeJpeg(picture, options);
  }
}

// Decode and transform, as for every request. oversampling: of JPEGs, the
// server's --jpeg-oversampling.
void BM_Picture(benchmark::State& state) {
  const Bytes file =
      Encode(Photo(state.range(1), state.range(2)), state.range(0));
  DecodeLimits limits;
  limits.max_time = std::chrono::hours(1);
  const auto sufficient_side = static_cast<int>(state.range(3) * kSpec.resize);
  std::vector<uint8_t> out(size_t{3} * 224 * 224);
  for (auto _ : state) {
    const cv::Mat rgb =
        DecodeImage(file, limits, *ThreadCpuClock::Get(), sufficient_side)
            .value();
    if (!TransformImage(rgb, kSpec, absl::MakeSpan(out)).ok()) std::abort();
  }
  SetPixelsPerSecond(state, state.range(1), state.range(2));
  state.counters["file_bytes"] = static_cast<double>(file.size());
}
BENCHMARK(BM_Picture)
    ->ArgNames({"format", "width", "height", "oversampling"})
    ->ArgsProduct({{kJpeg, kProgressiveJpeg, kPng, kWebp}, {500}, {375}, {0}})
    ->ArgsProduct({{kJpeg}, {4000}, {3000}, {0, 1, 2, 4}})
    ->Unit(benchmark::kMillisecond);

void BM_Transform(benchmark::State& state, const ResampleKernels* kernels) {
  const auto available = AvailableResampleKernels();
  if (std::find(available.begin(), available.end(), kernels) ==
      available.end()) {
    state.SkipWithError("this CPU cannot run it");
    return;
  }
  const cv::Mat rgb = Photo(state.range(0), state.range(1));
  std::vector<uint8_t> out(size_t{3} * 224 * 224);
  for (auto _ : state) ResampleWindow(rgb, kSpec, *kernels, out.data());
  SetPixelsPerSecond(state, state.range(0), state.range(1));
}
BENCHMARK_CAPTURE(BM_Transform, portable, &kResamplePortable)
    ->Args({500, 375})
    ->Args({4000, 3000})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Transform, avx2, &kResampleAvx2)
    ->Args({500, 375})
    ->Args({4000, 3000})
    ->Unit(benchmark::kMillisecond);

// Files of few bytes and just under 50 million pixels. Whether a picture or an
// error comes of it, it must come in time.
void BM_Bomb(benchmark::State& state, const std::function<Bytes()>& make) {
  const Bytes file = make();
  bool refused = false;
  for (auto _ : state) {
    refused = !DecodeImage(file, {}, *ThreadCpuClock::Get()).ok();
  }
  state.counters["file_bytes"] = static_cast<double>(file.size());
  state.counters["refused"] = refused;
  state.counters["limit_ms"] = ToMilliseconds(DecodeLimits{}.max_time);
}

cv::Mat Plain(int channels) {
  return cv::Mat(7000, 7000, CV_8UC(channels), cv::Scalar::all(128));
}

BENCHMARK_CAPTURE(BM_Bomb, progressive_jpeg, [] {
  JpegOptions options;
  options.progressive = true;
  return EncodeJpeg(Plain(3), options);
})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Bomb, jpeg_scan_per_coefficient, [] {
  JpegOptions options;
  options.scan_per_coefficient = true;
  return EncodeJpeg(Plain(3), options);
})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Bomb, interlaced_png_with_alpha, [] {
  PngOptions options;
  options.color_type = 6;
  options.interlaced = true;
  return EncodePng(Plain(4), options);
})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Bomb, lossless_webp, [] {
  return EncodeWebp(Plain(3), true);
})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Bomb, lossy_webp_with_alpha, [] {
  return EncodeWebp(Plain(4), false);
})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace groupmamba

BENCHMARK_MAIN();
