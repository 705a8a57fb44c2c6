// A picture file of any format; the targets differ in their seeds. A picture
// that comes of it must be whole, a refusal the sender's fault.

#include <cstdlib>

#include "model/image/decode.h"

namespace groupmamba {
namespace {

void Run(absl::Span<const uint8_t> file) {
  DecodeLimits limits;
  limits.max_pixels = 1 << 20;
  limits.max_codec_bytes = 16 << 20;
  for (const int sufficient_side : {0, 1}) {
    const absl::StatusOr<cv::Mat> rgb =
        DecodeImage(file, limits, *ThreadCpuClock::Get(), sufficient_side);
    if (!rgb.ok()) {
      if (!absl::IsInvalidArgument(rgb.status())) std::abort();
      continue;
    }
    if (rgb->type() != CV_8UC3 || rgb->empty() ||
        rgb->total() > static_cast<size_t>(limits.max_pixels)) {
      std::abort();
    }
    // Every byte, so that the address sanitizer sees where it lies.
    volatile uint8_t sum = 0;
    for (int y = 0; y < rgb->rows; ++y) {
      for (int i = 0; i < 3 * rgb->cols; ++i) sum = sum ^ rgb->ptr(y)[i];
    }
  }
}

}  // namespace
}  // namespace groupmamba

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  groupmamba::Run({data, size});
  return 0;
}
