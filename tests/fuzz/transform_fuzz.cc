// The sizes of a picture, of the resize and of the crop: a window comes of
// them, the same with every kernel, or a refusal; nothing is read or written
// beside the buffers.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "model/image/resample.h"
#include "model/image/transform.h"
#include "model/image/window.h"
#include "opencv2/core.hpp"

namespace groupmamba {
namespace {

struct Input {
  uint16_t rows, columns, resize, crop_height, crop_width;
  uint8_t filter, seed;
};

// What takes long is left out, not what is odd.
constexpr int64_t kMaxPixels = 1 << 20;
constexpr int64_t kMaxWindow = 1 << 16;

void Run(const Input& input) {
  const int64_t window = int64_t{input.crop_height} * input.crop_width;
  if (int64_t{input.rows} * input.columns > kMaxPixels || window > kMaxWindow ||
      input.rows == 0 || input.columns == 0) {
    return;
  }
  cv::Mat rgb(input.rows, input.columns, CV_8UC3);
  cv::RNG random(input.seed);
  random.fill(rgb, cv::RNG::UNIFORM, 0, 256);
  const TransformSpec spec = {.resize = input.resize,
                              .crop_height = input.crop_height,
                              .crop_width = input.crop_width,
                              .filter = input.filter % 2 == 0
                                            ? ResizeFilter::kBicubic
                                            : ResizeFilter::kBilinear};
  std::vector<uint8_t> out(static_cast<size_t>(3 * window));
  const absl::Status status = TransformImage(rgb, spec, absl::MakeSpan(out));
  if (!status.ok()) {
    if (!absl::IsInvalidArgument(status)) std::abort();
    return;
  }
  // Every kernel gives the same window.
  std::vector<uint8_t> portable(out.size());
  ResampleWindow(rgb, spec, kResamplePortable, portable.data());
  if (out != portable) std::abort();
}

}  // namespace
}  // namespace groupmamba

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  groupmamba::Input input = {};
  if (size < sizeof(input)) return 0;
  std::memcpy(&input, data, sizeof(input));
  groupmamba::Run(input);
  return 0;
}
