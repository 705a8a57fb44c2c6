// The convolution in the SS2D core's backward pass: through its activation, and
// from its output to its input. An input's gradient needs the output's on the
// lines beside it. A block has those of its own lines and takes those of the
// two lines behind from their block, so it writes the gradients of its lines
// but shifted by one: the first is left to the segment before, which has both
// of its neighbours. S: an Ss2dSegment of the backward pass.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_CONVOLUTION_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_CONVOLUTION_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "kernels/cuda/ss2d_backward_scan.h"
#include "kernels/cuda/ss2d_core_convolution.h"

namespace groupmamba::cuda {

// Takes the convolution's output: its gradient over u', and u.
template <class S>
struct ToConvolutionGradient {
  GM_DEVICE void Take(int row, const float* values) const {
    float u[S::kVector], du[S::kVector];
    const int at = places.At(s.Shared().gradients, row);
    LoadSharedValues<S::kVector, typename S::Value>(s.ctx, at, du);
    GM_UNROLL
    for (int i = 0; i < S::kVector; ++i) {
      const float sigmoid = S::Math::Sigmoid(s.ctx, values[i]);
      du[i] *= SiluSlope(values[i], sigmoid);
      u[i] = values[i] * sigmoid;
    }
    StoreSharedValues<S::kVector, typename S::Value>(s.ctx, at, du);
    StoreSharedValues<S::kVector, typename S::Value>(
        s.ctx, places.At(s.Shared().values, row), u);
  }
  const S& s;
  ColumnPlaces<S> places;
};

// Words of a block's two lines at a border, which begin with line `line` of the
// segment; none beyond the picture.
template <class S>
GM_DEVICE int HaloWords(const S& s, int line) {
  const int lines = Smaller(kHaloLines, s.lines - s.first - line);
  return Larger(lines, 0) * s.line.length * (S::kPlaceBytes / 8);
}
// Where word `word` of them is in shared memory.
template <class S>
GM_DEVICE int HaloAt(const S& s, int line, int word, const Divider& chunk) {
  constexpr int kWords = S::kPlaceBytes / 8;
  const int token = word / kWords;
  const int of_lines = token / s.line.length;
  const int place =
      s.PlaceOf(line + of_lines, token - of_lines * s.line.length, chunk);
  return s.Shared().gradients + place * S::kPlaceBytes + word % kWords * 8;
}

template <class S>
GM_DEVICE uint64_t* HaloWordsAt(const S& s, int border) {
  return BorderWords(s, border) +
         BackwardWords(s.height, s.width, S::kPadded, S::kBytes).halo;
}

template <class S>
GM_DEVICE void TakeHalo(const S& s) {
  if (s.segment + 1 == s.arguments.segments) return;
  const Divider chunk(s.line.chunk);
  const int words = HaloWords(s, s.count);
  for (int word = s.ctx.Thread(); word < words; word += s.ctx.Threads()) {
    s.ctx.StoreShared(HaloAt(s, s.count, word, chunk),
                      s.ctx.TakePair(HaloWordsAt(s, s.segment) + word));
  }
}

template <class S>
GM_DEVICE void PublishHalo(const S& s) {
  if (s.segment == 0) return;
  const Divider chunk(s.line.chunk);
  const int words = HaloWords(s, 0);
  for (int word = s.ctx.Thread(); word < words; word += s.ctx.Threads()) {
    s.ctx.PublishPair(
        HaloWordsAt(s, s.segment - 1) + word,
        s.ctx.template LoadShared<Word2>(HaloAt(s, 0, word, chunk)));
  }
}

// The convolution's gradients as a source of ConvolveColumn, its taps turned
// around.
template <class S>
struct GradientSource {
  GM_DEVICE GradientSource(const S& s, int vector)
      : s(s),
        chunk(s.line.chunk),
        vector(vector),
        height(s.height),
        width(s.width),
        weight(s.Row(Ss2dRows::kConvolution + 8) + vector * S::kVector) {}
  template <int kVector, class Ctx>
  GM_DEVICE void Load(const Ctx& ctx, int row, int column,
                      float* values) const {
    const int place =
        s.PlaceOf(s.LineOf(row, column), s.PositionOf(row, column), chunk);
    LoadSharedValues<kVector, typename S::Value>(ctx,
                                                 s.Shared().gradients +
                                                     place * S::kPlaceBytes +
                                                     vector * S::kVectorBytes,
                                                 values);
  }
  template <int kVector, class Ctx>
  GM_DEVICE void LoadBias(const Ctx&, float* values) const {
    GM_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = 0;
  }
  const S& s;
  Divider chunk;
  int vector;
  int height, width;
  const float* weight;
  static constexpr int weight_stride = -S::kPadded;
};

template <class S>
struct ToInputGradient {
  GM_DEVICE void Take(int row, const float* values) const {
    StoreValues<S::kVector>(
        s.ctx,
        static_cast<typename S::Value*>(s.arguments.d_xz) + s.FirstValue() * 2 +
            (int64_t{row} * s.width + column) * 2 * S::kPadded +
            vector * S::kVector,
        values);
  }
  const S& s;
  int column;
  int vector;
};

template <class S>
struct ConvolveGradient {
  GM_DEVICE void Run(int vector, int column, int from, int end) const {
    ConvolveColumn<S::kVector>(s.ctx, GradientSource<S>(s, vector), column,
                               from, end,
                               ToInputGradient<S>{s, column, vector});
  }
  const S& s;
};

template <class S>
GM_DEVICE void OutputInputGradient(const S& s) {
  const int from = s.first + (s.segment > 0 ? 1 : 0);
  const int end = Smaller(s.first + s.count + 1, s.lines);
  ForColumns(s, from, end - from, ConvolveGradient<S>{s});
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_CONVOLUTION_H_
