// Where things lie in the SS2D core's backward pass. Shared by the kernel and
// by the plan of a launch.
//
// Lines are cut into chunks of at most kBackwardChunk tokens, the saved states'
// ones. Sums over tokens are taken by bands, whole lines of about eight chunks,
// and the bands' sums are added in one order: bands do not depend on the
// segments, so that the answer does not.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_GEOMETRY_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_GEOMETRY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_core_geometry.h"
#include "kernels/cuda/ss2d_core_segment.h"

namespace groupmamba::cuda {

inline constexpr int kHeadBytes = 32;  // the segment's numbers
// A band: chunks, and bytes of u, at most, where it has several lines.
inline constexpr int kBandChunks = 8;
inline constexpr int kBandBytes = 20 * 1024;
// Lines of the next segment whose gradients a block needs.
inline constexpr int kHaloLines = 2;

// Of the sum over the batch: a block has 32 quads of the packed parameters, and
// eight threads each.
inline constexpr int kReduceParts = 8;
inline constexpr int kReduceThreads = kWarp * kReduceParts;
inline constexpr int kReduceSharedBytes = kReduceThreads * 16;

GM_HOST_DEVICE constexpr int ReduceBlocks(int group_floats) {
  return CeilDivide(kGroups * group_floats, kWarp * kQuad);
}

// Lines of a band.
GM_HOST_DEVICE int BandOf(const Lines& line, int padded, int value_bytes) {
  return Larger(1,
                Smaller(kBandChunks / line.chunks,
                        kBandBytes / (line.places() * padded * value_bytes)));
}
// Floats of a group's packed parameters.
GM_HOST_DEVICE constexpr int GroupFloats(int padded) {
  return RowCount(padded) * padded;
}

// Byte offsets of the parts of a block's shared memory.
struct BackwardLayout {
  GM_HOST_DEVICE BackwardLayout(const Lines& line, int lines, int padded,
                                int value_bytes)
      : values(kHeadBytes),
        gradients(values + lines * line.places() * padded * value_bytes),
        rows(gradients +
             (lines + kHaloLines) * line.places() * padded * value_bytes),
        row_gradients(rows + lines * line.places() * RowFloats(padded) * 4),
        decays(row_gradients + lines * line.places() * RowFloats(padded) * 4),
        states(decays + lines * line.chunks * padded * 4),
        sums(states + lines * line.chunks * padded * 4),
        bytes(sums + CeilDivide(lines, BandOf(line, padded, value_bytes)) *
                         GroupFloats(padded) * 4) {}

  int values;         // [place][padded]: u, then its Delta's gradient, u again
  int gradients;      // [place][padded], and the halo: y, y', u', conv's
  int rows;           // [place][RowFloats]: b, c, r
  int row_gradients;  // likewise
  // [chunk][padded], fp32: as in the forward pass, from the end on; before and
  // after that, sums over the chunk's tokens.
  int decays;
  int states;
  int sums;  // [band][row][padded], fp32: the parameters' gradients
  int bytes;
};

struct Ss2dBackwardPass {
  using Layout = BackwardLayout;
  // The gradient of the state comes from there.
  static constexpr bool kLastSegmentFirst = true;
  static GM_HOST_DEVICE constexpr int MaxChunk(int /*padded*/) {
    return kBackwardChunk;
  }
  // Four channels: the sums' registers are more than the forward pass's.
  static GM_HOST_DEVICE constexpr int ConvolutionBytes(int value_bytes) {
    return kQuad * value_bytes;
  }
  // Sums over channels go through the lanes of a warp.
  static GM_HOST_DEVICE constexpr int ScanLanes(int padded) {
    return PowerOfTwo(padded / kQuad);
  }
  static GM_HOST_DEVICE int Band(const Lines& line, int padded,
                                 int value_bytes) {
    return BandOf(line, padded, value_bytes);
  }
};

// Words between two segments: the state's gradient, then the parameters', then
// the convolution's on kHaloLines lines; of the last two in pairs of four
// bytes.
struct BackwardWords {
  GM_HOST_DEVICE BackwardWords(int height, int width, int padded,
                               int value_bytes)
      : parameters(padded),
        halo(parameters + GroupFloats(padded) / 2),
        words(halo +
              kHaloLines * Larger(height, width) * padded * value_bytes / 8) {}
  int parameters;
  int halo;
  int words;
};

struct Ss2dBackwardArguments : Ss2dInputs {
  const void* d_out;
  void* d_xz;
  float* partials;  // [group][batch][row][padded]
};

struct Ss2dReduceArguments {
  int batch;
  int group_floats;
  const float* partials;
  float* sums;
};

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_GEOMETRY_H_
