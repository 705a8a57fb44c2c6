// Where things lie in the SS2D core: which lines a segment has, where a token
// is in its block's shared memory. Shared by the kernel and by the plan of a
// launch.
//
// A line (row or column) is cut into chunks of equal length, the last one maybe
// shorter; a thread of the scan has one chunk and four channels. Chunks depend
// on the line's length alone, so that the answer does not depend on the
// segments.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_GEOMETRY_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_GEOMETRY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_core.h"

namespace groupmamba::cuda {

inline constexpr int kQuad = 4;          // channels of a thread of the scan
inline constexpr int kOctet = 8;         // channels of a lane elsewhere
inline constexpr int kMaxThreads = 512;  // of a block
inline constexpr int kTicketBytes = 16;
// The backward pass's chunks, before each of which the forward saves the state.
inline constexpr int kBackwardChunk = 7;

GM_HOST_DEVICE constexpr int RankOf(int padded) {
  return CeilDivide(padded, 16);
}
// Floats of a token's row of b, c and r, whole vectors.
GM_HOST_DEVICE constexpr int RowFloats(int padded) {
  return CeilDivide(RankOf(padded) + 2, 4) * 4;
}

// Rows of the packed parameters (Ss2dRows): the first of dt_projs, and all.
GM_HOST_DEVICE constexpr int DeltaRow(int padded) {
  return Ss2dRows::kRank + RankOf(padded);
}
GM_HOST_DEVICE constexpr int RowCount(int padded) {
  return DeltaRow(padded) + RankOf(padded);
}

// How lines of one length are cut.
struct Lines {
  GM_HOST_DEVICE Lines(int length, int max_chunk)
      : length(length),
        chunks(CeilDivide(length, max_chunk)),
        chunk(CeilDivide(length, chunks)) {}
  GM_HOST_DEVICE Lines(int length, int chunks, int chunk)
      : length(length), chunks(chunks), chunk(chunk) {}
  // A place for each token and an unused one after each chunk, which keeps the
  // threads of a warp on different banks.
  GM_HOST_DEVICE int places() const { return chunks * (chunk + 1); }

  int length;
  int chunks;
  int chunk;
};

// States that the forward saves of an image's group: [line][chunk][padded].
// Groups with columns for lines may have more than those with rows.
GM_HOST_DEVICE int SavedChunks(int height, int width) {
  return Larger(height * Lines(width, kBackwardChunk).chunks,
                width * Lines(height, kBackwardChunk).chunks);
}

// Byte offsets of the parts of the forward's shared memory.
struct SharedLayout {
  GM_HOST_DEVICE SharedLayout(const Lines& line, int lines, int padded,
                              int value_bytes)
      : values(kTicketBytes),
        rows(values + lines * line.places() * padded * value_bytes),
        decays(rows + lines * line.places() * RowFloats(padded) * 4),
        states(decays + lines * line.chunks * padded * 4),
        bytes(states + lines * line.chunks * padded * 4) {}

  int values;  // [place][padded]: u, later y
  int rows;    // [place][RowFloats]: b, c, r
  int decays;  // [chunk][padded], fp32: the product of the chunk's decays
  int states;  // [chunk][padded], fp32: its last state, later its first one
  int bytes;
};

// Lines of segment `segment` of `segments`, in scan order: from this one to the
// next segment's. Segments are whole bands of `band` lines.
GM_HOST_DEVICE constexpr int FirstLine(int lines, int band, int segment,
                                       int segments) {
  const auto bands = static_cast<long long>(CeilDivide(lines, band));
  return Smaller(lines, static_cast<int>(bands * segment / segments) * band);
}

// Lanes of a warp that `count` things fit, a power of two.
GM_HOST_DEVICE constexpr int PowerOfTwo(int count) {
  int lanes = 1;
  while (lanes < count) lanes *= 2;
  return lanes;
}

// What differs between the passes in how a block's work is cut.
struct Ss2dForwardPass {
  using Layout = SharedLayout;
  static constexpr bool kLastSegmentFirst = false;
  // Tokens that a thread of the scan remembers Delta of, in registers; wide
  // groups need the registers for Delta's weights.
  static GM_HOST_DEVICE constexpr int MaxChunk(int padded) {
    return padded <= 48 ? 14 : 7;
  }
  // What a thread of the convolution loads at once.
  static GM_HOST_DEVICE constexpr int ConvolutionBytes(int /*value_bytes*/) {
    return 16;
  }
  // Threads of a chunk.
  static GM_HOST_DEVICE constexpr int ScanLanes(int padded) {
    return padded / kQuad;
  }
  static GM_HOST_DEVICE int Band(const Lines&, int, int) { return 1; }
};

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_GEOMETRY_H_
