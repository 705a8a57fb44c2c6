// What --decode-isolation process costs a picture of 500x375: the whole way
// from the file's bytes to the model's input, on this thread or in a decoder
// process that this thread waits for. To be compared: the column Time.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "benchmark/benchmark.h"
#include "server/isolation/decoder_pool.h"
#include "server/picture.h"
#include "tests/testing/image_encoders.h"

namespace groupmamba {
namespace {

constexpr TransformSpec kSpec = {
    .resize = 256, .crop_height = 224, .crop_width = 224};

DecoderPool& Decoders() {
  static auto* const pool = new std::unique_ptr<DecoderPool>(
      DecoderPool::Start({.program = GM_BIN_DIR "/groupmamba-decoder"}, 1,
                         RealClock::Get())
          .value());
  return **pool;
}

Bytes Encode(int64_t format) {
  const cv::Mat photo = MakePicture(500, 375, 3, 1);
  if (format == 1) return EncodePng(photo);
  if (format == 2) return EncodeWebp(photo, false);
  return EncodeJpeg(photo);
}

void BM_Prepare(benchmark::State& state) {
  const Bytes file = Encode(state.range(0));
  const bool isolated = state.range(1) == 1;
  const Picture picture = {.kind = Picture::Kind::kFile, .bytes = file};
  std::vector<uint8_t> out(size_t{3} * 224 * 224);
  for (auto _ : state) {
    const absl::Status status =
        isolated ? Decoders().Prepare(picture, kSpec, absl::MakeSpan(out))
                 : PreparePicture(picture, {}, 0, kSpec, absl::MakeSpan(out));
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
  state.counters["file_bytes"] = static_cast<double>(file.size());
}
// format: 0 JPEG, 1 PNG, 2 WebP.
BENCHMARK(BM_Prepare)
    ->ArgNames({"format", "isolated"})
    ->ArgsProduct({{0, 1, 2}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace groupmamba

BENCHMARK_MAIN();
