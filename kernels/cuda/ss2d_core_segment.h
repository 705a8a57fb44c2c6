// What one block of the SS2D core works on: one image's group and one segment
// of its sequence, where its tokens are in memory and where in shared memory.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/math.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"

namespace groupmamba::cuda {

struct Ss2dArguments {
  Ss2dShape shape;
  int segments;
  float epsilon;
  const void* xz;
  const float* parameters;
  void* scratch;
  void* out;
};

template <class Context, class T, int kPaddedWidth>
struct Ss2dSegment {
  using Ctx = Context;
  using Value = T;
  using Math = typename MathOf<T>::Type;
  static constexpr int kPadded = kPaddedWidth;
  static constexpr int kBytes = int{sizeof(T)};
  static constexpr int kRank = RankOf(kPadded);
  static constexpr int kRow = RowFloats(kPadded);
  static constexpr int kChunk = MaxChunk(kPadded);
  static constexpr int kQuads = kPadded / kQuad;
  static constexpr int kOctets = kPadded / kOctet;
  // Lanes of a token: the power of two that its octets fit.
  static constexpr int kLanes = kOctets <= 1   ? 1
                                : kOctets <= 2 ? 2
                                : kOctets <= 4 ? 4
                                : kOctets <= 8 ? 8
                                               : 16;
  // Channels of a thread of the convolution: 16 bytes.
  static constexpr int kVector = 16 / int{sizeof(T)};
  static constexpr int kVectors = kPadded / kVector;
  static constexpr int kPlaceBytes = kPadded * int{sizeof(T)};

  GM_DEVICE Ss2dSegment(const Ctx& ctx, const Ss2dArguments& arguments,
                        int work)
      : ctx(ctx),
        arguments(arguments),
        segment(work / (kGroups * arguments.shape.batch)),
        sequence(work - segment * kGroups * arguments.shape.batch),
        group(sequence / arguments.shape.batch),
        height(arguments.shape.height),
        width(arguments.shape.width),
        by_column(IsByColumn(arguments.shape, group)),
        reversed(IsReversed(arguments.shape, group)),
        line(by_column ? height : width, kPadded),
        lines(by_column ? width : height),
        first(FirstLine(lines, segment, arguments.segments)),
        count(FirstLine(lines, segment + 1, arguments.segments) - first) {}

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
  GM_DEVICE SharedLayout Shared() const {
    return SharedLayout(line, count, kPadded, int{sizeof(T)});
  }
  GM_DEVICE int64_t FirstValue() const {
    return int64_t{sequence} * height * width * kPadded;
  }
  GM_DEVICE const T* Xz() const {
    return static_cast<const T*>(arguments.xz) + FirstValue() * 2;
  }
  GM_DEVICE T* Out() const {
    return static_cast<T*>(arguments.out) + FirstValue();
  }
  // A row of the group's parameters (Ss2dRows).
  GM_DEVICE const float* Row(int row) const {
    return arguments.parameters + (group * RowCount(kPadded) + row) * kPadded;
  }
  // The state that a segment hands on, by channel.
  GM_DEVICE uint64_t* Words(int of_segment) const {
    return reinterpret_cast<uint64_t*>(static_cast<char*>(arguments.scratch) +
                                       kTicketBytes) +
           (int64_t{sequence} * (arguments.segments - 1) + of_segment) *
               kPadded;
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
  GM_DEVICE int TokenOf(int line_in_segment, int position) const {
    int of_picture = first + line_in_segment;
    if (reversed) {
      of_picture = lines - 1 - of_picture;
      position = line.length - 1 - position;
    }
    return by_column ? position * width + of_picture
                     : of_picture * width + position;
  }
  GM_DEVICE int PlaceOf(int line_in_segment, int position,
                        const Divider& chunk) const {
    return line_in_segment * line.places() + position +
           chunk.Quotient(position);
  }

  const Ctx& ctx;
  const Ss2dArguments& arguments;
  const int segment;
  const int sequence;  // an image's group, by group
  const int group;
  const int height, width;
  const bool by_column, reversed;
  const Lines line;
  const int lines;         // of the picture
  const int first, count;  // the segment's lines, in scan order
};

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_SEGMENT_H_
