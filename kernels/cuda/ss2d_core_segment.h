// What one block of the SS2D core works on: one image's group and one segment
// of its sequence, where its tokens are in memory and where in shared memory.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/math.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"

namespace groupmamba::cuda {

// What both passes read.
struct Ss2dInputs {
  Ss2dShape shape;
  int segments;
  float epsilon;
  const void* xz;
  const float* parameters;
  void* scratch;
  float* states;  // an output of the forward pass; null: not saved
};

struct Ss2dArguments : Ss2dInputs {
  void* out;
};

// The number of the block's work, for one thread: without segments to wait for
// the block's own.
template <class Ctx>
GM_DEVICE int TakeWork(const Ctx& ctx, const Ss2dInputs& inputs) {
  if (inputs.segments == 1) return ctx.Block();
  return static_cast<int>(ctx.NextTicket(
      static_cast<uint32_t*>(inputs.scratch),
      static_cast<uint32_t>(inputs.shape.batch * kGroups * inputs.segments)));
}

struct Pixel {
  int row;
  int column;
};

template <class Context, class T, int kPaddedWidth, class Pass, class Arguments>
struct Ss2dSegment {
  using Ctx = Context;
  using Value = T;
  using Math = typename MathOf<T>::Type;
  static constexpr int kPadded = kPaddedWidth;
  static constexpr int kBytes = int{sizeof(T)};
  static constexpr int kRank = RankOf(kPadded);
  static constexpr int kRow = RowFloats(kPadded);
  static constexpr int kChunk = Pass::MaxChunk(kPadded);
  static constexpr int kQuads = kPadded / kQuad;
  static constexpr int kScanLanes = Pass::ScanLanes(kPadded);
  static constexpr int kOctets = kPadded / kOctet;
  // Lanes of a token, outside of the scan.
  static constexpr int kLanes = PowerOfTwo(kOctets);
  // Channels of a thread of the convolution.
  static constexpr int kVector = Pass::ConvolutionBytes(kBytes) / kBytes;
  static constexpr int kVectorBytes = kVector * kBytes;
  static constexpr int kVectors = kPadded / kVector;
  static constexpr int kPlaceBytes = kPadded * int{sizeof(T)};

  GM_DEVICE Ss2dSegment(const Ctx& ctx, const Arguments& arguments, int work)
      : ctx(ctx),
        arguments(arguments),
        segment(SegmentOf(arguments, work)),
        sequence(work % (kGroups * arguments.shape.batch)),
        group(sequence / arguments.shape.batch),
        height(arguments.shape.height),
        width(arguments.shape.width),
        by_column(IsByColumn(arguments.shape, group)),
        reversed(IsReversed(arguments.shape, group)),
        line(by_column ? height : width, kChunk),
        lines(by_column ? width : height),
        band(Pass::Band(line, kPadded, kBytes)),
        first(FirstLine(lines, band, segment, arguments.segments)),
        count(FirstLine(lines, band, segment + 1, arguments.segments) - first) {
  }

  // One that Save left in shared memory.
  GM_DEVICE Ss2dSegment(const Ctx& ctx, const Arguments& arguments,
                        const Word4& a, const Word4& b)
      : ctx(ctx),
        arguments(arguments),
        segment(static_cast<int>(a.word[0])),
        sequence(static_cast<int>(a.word[1])),
        group(static_cast<int>(a.word[2])),
        height(arguments.shape.height),
        width(arguments.shape.width),
        by_column(IsByColumn(arguments.shape, group)),
        reversed(IsReversed(arguments.shape, group)),
        line(by_column ? height : width, static_cast<int>(a.word[3]),
             static_cast<int>(b.word[0])),
        lines(by_column ? width : height),
        band(static_cast<int>(b.word[1])),
        first(static_cast<int>(b.word[2])),
        count(static_cast<int>(b.word[3])) {}
  GM_DEVICE void Save(int offset) const {
    ctx.StoreShared(offset, Word4{{uint32_t(segment), uint32_t(sequence),
                                   uint32_t(group), uint32_t(line.chunks)}});
    ctx.StoreShared(offset + 16, Word4{{uint32_t(line.chunk), uint32_t(band),
                                        uint32_t(first), uint32_t(count)}});
  }

  static GM_DEVICE int SegmentOf(const Arguments& arguments, int work) {
    const int n = work / (kGroups * arguments.shape.batch);
    return Pass::kLastSegmentFirst ? arguments.segments - 1 - n : n;
  }
  static GM_DEVICE bool IsByColumn(const Ss2dShape& shape, int group) {
    const kernels::Direction d = shape.directions[group];
    return d == kernels::Direction::kTopBottom ||
           d == kernels::Direction::kBottomTop;
  }
  static GM_DEVICE bool IsReversed(const Ss2dShape& shape, int group) {
    const kernels::Direction d = shape.directions[group];
    return d == kernels::Direction::kRightLeft ||
           d == kernels::Direction::kBottomTop;
  }

  // Computed where they are used: what is kept through the convolution and the
  // scan costs registers that they need.
  GM_DEVICE typename Pass::Layout Shared() const {
    return typename Pass::Layout(line, count, kPadded, int{sizeof(T)});
  }
  GM_DEVICE int64_t FirstValue() const {
    return int64_t{sequence} * height * width * kPadded;
  }
  GM_DEVICE const T* Xz() const {
    return static_cast<const T*>(arguments.xz) + FirstValue() * 2;
  }
  // A row of the group's parameters (Ss2dRows).
  GM_DEVICE const float* Row(int row) const {
    return arguments.parameters + (group * RowCount(kPadded) + row) * kPadded;
  }
  // The state saved before a chunk of the backward pass; lines of the picture,
  // in scan order.
  GM_DEVICE float* State(int of_line, int chunk) const {
    const int chunks = Lines(line.length, kBackwardChunk).chunks;
    return arguments.states + (int64_t{sequence} * SavedChunks(height, width) +
                               of_line * chunks + chunk) *
                                  kPadded;
  }
  // The words between segment `border` and the next one, `count` at a border.
  GM_DEVICE uint64_t* Words(int border, int64_t words) const {
    return reinterpret_cast<uint64_t*>(static_cast<char*>(arguments.scratch) +
                                       kTicketBytes) +
           (int64_t{sequence} * (arguments.segments - 1) + border) * words;
  }

  // The one place where directions occur: a token's line within the segment and
  // its position in it, in scan order, and back.
  GM_DEVICE int LineOf(int row, int column) const {
    const int of_picture = by_column ? column : row;
    return (reversed ? lines - 1 - of_picture : of_picture) - first;
  }
  GM_DEVICE int PositionOf(int row, int column) const {
    const int position = by_column ? row : column;
    return reversed ? line.length - 1 - position : position;
  }
  GM_DEVICE Pixel PixelOf(int line_in_segment, int position) const {
    int of_picture = first + line_in_segment;
    if (reversed) {
      of_picture = lines - 1 - of_picture;
      position = line.length - 1 - position;
    }
    return by_column ? Pixel{position, of_picture}
                     : Pixel{of_picture, position};
  }
  GM_DEVICE int TokenOf(int line_in_segment, int position) const {
    const Pixel pixel = PixelOf(line_in_segment, position);
    return pixel.row * width + pixel.column;
  }
  GM_DEVICE int PlaceOf(int line_in_segment, int position,
                        const Divider& chunk) const {
    return line_in_segment * line.places() + position +
           chunk.Quotient(position);
  }

  const Ctx& ctx;
  const Arguments& arguments;
  const int segment;
  const int sequence;  // an image's group, by group
  const int group;
  const int height, width;
  const bool by_column, reversed;
  const Lines line;
  const int lines;         // of the picture
  const int band;          // lines
  const int first, count;  // the segment's lines, in scan order
};

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_
