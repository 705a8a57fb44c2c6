// Resampling along one axis, the published algorithm of Pillow for 8-bit
// pictures:
//
// Output sample i covers the centre c = (i + 1/2) * s of the input, s = input
// size / output size. Its weights are f((x + 1/2 - c) / max(s, 1)) for the
// input samples x within the filter's support times max(s, 1) of c, divided by
// their sum, and rounded to multiples of 2^-22 (halves away from zero). The sum
// of weight * sample, in integers, is rounded to the nearest 8-bit value
// (halves up) and clipped to 0..255.
//
// f: the triangle, or Keys' cubic with a = -1/2 (R. G. Keys, "Cubic Convolution
// Interpolation for Digital Image Processing", 1981). Private to model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_RESAMPLE_H_
#define GROUPMAMBA_MODEL_IMAGE_RESAMPLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/image/transform.h"

namespace groupmamba {

inline constexpr int kWeightBits = 22;

// The weights are kept in groups of this many, for vector code; filled up with
// zeros.
inline constexpr int kTapGroup = 4;

// Which input samples make the output samples of a window, and with which
// weights.
struct ResampleAxis {
  std::vector<int> first;        // per output sample: its first input sample
  std::vector<int> taps;         // per output sample: how many, at least 1
  std::vector<int32_t> weights;  // `stride` per output sample
  int stride = 0;                // a multiple of kTapGroup
  int input_begin = 0;           // all of them lie in [input_begin, input_end)
  int input_end = 0;

  int size() const { return static_cast<int>(first.size()); }
  const int32_t* WeightsOf(int i) const {
    return weights.data() + size_t{static_cast<size_t>(i)} * stride;
  }
};

// Outputs [output_begin, output_begin + count) of an axis of `output_size`; all
// sizes at least 1, the window inside the axis. Needs memory for the window
// only.
ResampleAxis MakeResampleAxis(int64_t input_size, int64_t output_size,
                              int64_t output_begin, int count,
                              ResizeFilter filter);

// One way to compute the two passes. All give the same bytes.
struct ResampleKernels {
  const char* name;

  // A row of RGB `width` pixels long -> axis.size() pixels.
  void (*row)(const uint8_t* rgb, int width, const ResampleAxis& axis,
              uint8_t* out);

  // `taps` rows, `step` bytes apart, each `bytes` long -> one row.
  void (*column)(const uint8_t* rows, size_t step, int bytes,
                 const int32_t* weights, int taps, uint8_t* out);
};

extern const ResampleKernels kResamplePortable;
extern const ResampleKernels kResampleAvx2;  // only where the CPU has AVX2

// Every one that this machine can run, the fastest first.
absl::Span<const ResampleKernels* const> AvailableResampleKernels();

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_RESAMPLE_H_
