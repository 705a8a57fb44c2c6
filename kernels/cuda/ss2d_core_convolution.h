// The SS2D core's depthwise convolution, by columns of the picture. S: an
// Ss2dSegment.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_CONVOLUTION_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_CONVOLUTION_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/depthwise_column.h"
#include "kernels/cuda/ss2d_core_segment.h"

namespace groupmamba::cuda {

// Where a column's tokens are in shared memory, for one vector of channels.
template <class S>
struct ColumnPlaces {
  GM_DEVICE ColumnPlaces(const S& s, int column, int vector)
      : s(s), chunk(s.line.chunk), column(column), vector(vector) {}
  // `part`: of the shared memory, [place][padded].
  GM_DEVICE int At(int part, int row) const {
    const int place =
        s.PlaceOf(s.LineOf(row, column), s.PositionOf(row, column), chunk);
    return part + place * S::kPlaceBytes + vector * S::kVectorBytes;
  }
  const S& s;
  Divider chunk;
  int column;
  int vector;
};

// Takes a column's outputs: u, at the token's place.
template <class S>
struct ToShared {
  GM_DEVICE void Take(int row, const float* values) const {
    float u[S::kVector];
    GM_UNROLL
    for (int i = 0; i < S::kVector; ++i) {
      u[i] = S::Math::Silu(s.ctx, values[i]);
    }
    StoreSharedValues<S::kVector, typename S::Value>(
        s.ctx, places.At(s.Shared().values, row), u);
  }
  const S& s;
  ColumnPlaces<S> places;
};

// Calls columns.Run(vector, column, from, end), rows [from, end), for each
// column of `count` lines from line `first` of the picture on, in scan order,
// and each vector of channels. Where threads are many, columns are cut.
template <class S, class Columns>
GM_DEVICE void ForColumns(const S& s, int first, int count,
                          const Columns& columns) {
  if (count <= 0) return;
  const int low = s.reversed ? s.lines - first - count : first;
  const int rows = s.by_column ? s.height : count;
  const int across = (s.by_column ? count : s.width) * S::kVectors;
  const int first_row = s.by_column ? 0 : low;
  const int first_column = s.by_column ? low : 0;
  const int parts = Larger(1, Smaller(rows, s.ctx.Threads() / across));
  const int height = CeilDivide(rows, parts);
  for (int item = s.ctx.Thread(); item < across * parts;
       item += s.ctx.Threads()) {
    const int in_part = item % across;
    const int from = Smaller(item / across * height, rows);
    const int end = Smaller(from + height, rows);
    columns.Run(in_part % S::kVectors, first_column + in_part / S::kVectors,
                first_row + from, first_row + end);
  }
}

template <class S, template <class> class Sink>
struct ConvolveInput {
  GM_DEVICE void Run(int vector, int column, int from, int end) const {
    const int channel = vector * S::kVector;
    const DepthwiseSource<typename S::Value> source = {
        s.Xz() + channel,
        2 * S::kPadded,
        s.height,
        s.width,
        s.Row(Ss2dRows::kConvolution) + channel,
        s.Row(Ss2dRows::kConvolutionBias) + channel,
        S::kPadded};
    const Sink<S> sink = {s, ColumnPlaces<S>(s, column, vector)};
    ConvolveColumn<S::kVector>(s.ctx, source, column, from, end, sink);
  }
  const S& s;
};

// The segment's convolution, without its activation, into Sink.
template <template <class> class Sink, class S>
GM_DEVICE void Convolve(const S& s) {
  ForColumns(s, s.first, s.count, ConvolveInput<S, Sink>{s});
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_CONVOLUTION_H_
