#include <algorithm>
#include <vector>

#include "model/image/resample.h"

namespace groupmamba {
namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

void Row(const uint8_t* rgb, int, const ResampleAxis& axis, uint8_t* out) {
  for (int i = 0; i < axis.size(); ++i, out += 3) {
    const uint8_t* in = rgb + size_t{3} * axis.first[i];
    const int32_t* weights = axis.WeightsOf(i);
    int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (int tap = 0; tap < axis.taps[i]; ++tap, in += 3) {
      red += in[0] * weights[tap];
      green += in[1] * weights[tap];
      blue += in[2] * weights[tap];
    }
    out[0] = ToByte(red);
    out[1] = ToByte(green);
    out[2] = ToByte(blue);
  }
}

// Tap by tap over a stretch of the row, so that the compiler can vectorise it.
void Column(const uint8_t* rows, size_t step, int bytes, const int32_t* weights,
            int taps, uint8_t* out) {
  constexpr int kStretch = 256;
  int32_t sums[kStretch];
  for (int begin = 0; begin < bytes; begin += kStretch) {
    const int count = std::min(kStretch, bytes - begin);
    std::fill_n(sums, count, kHalf);
    for (int tap = 0; tap < taps; ++tap) {
      const uint8_t* in = rows + tap * step + begin;
      for (int i = 0; i < count; ++i) sums[i] += in[i] * weights[tap];
    }
    for (int i = 0; i < count; ++i) out[begin + i] = ToByte(sums[i]);
  }
}

}  // namespace

const ResampleKernels kResamplePortable = {"portable", Row, Column};

}  // namespace groupmamba
