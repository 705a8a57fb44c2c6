// The element-wise kernels (kernels/cuda/elementwise.h), over a thread context.

#ifndef GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_BODY_H_
#define GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_BODY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/depthwise_column.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/math.h"

namespace groupmamba::cuda {

// ---- pictures

inline constexpr int kNormaliseThreads = 256;
inline constexpr int kPixelValues = 16;  // of a thread: one access

template <class T, class Ctx>
GM_DEVICE void NormaliseBody(const Ctx& ctx,
                             const NormaliseArguments& arguments) {
  const int64_t thread = int64_t{ctx.Block()} * ctx.Threads() + ctx.Thread();
  const int64_t first = thread * kPixelValues;
  if (first >= arguments.count) return;
  // 16 = 1 mod 3, so a thread's values begin with channel (thread mod 3).
  const int channel = static_cast<int>(thread % 3);
  float scale[3], shift[3];
  GM_UNROLL
  for (int i = 0; i < 3; ++i) {
    scale[i] = arguments.scale[(channel + i) % 3];
    shift[i] = arguments.shift[(channel + i) % 3];
  }
  T* const out = static_cast<T*>(arguments.out) + first;
  if (first + kPixelValues <= arguments.count) {
    const Word4 pixels =
        ctx.LoadGlobal(reinterpret_cast<const Word4*>(arguments.from + first));
    float values[kPixelValues];
    GM_UNROLL
    for (int i = 0; i < kPixelValues; ++i) {
      const uint32_t pixel = pixels.word[i / 4] >> (8 * (i % 4)) & 0xff;
      values[i] = static_cast<float>(pixel) * scale[i % 3] + shift[i % 3];
    }
    StoreValues<kPixelValues>(ctx, out, values);
    return;
  }
  // What is left at the end.
  GM_UNROLL
  for (int i = 0; i < kPixelValues; ++i) {
    if (first + i >= arguments.count) continue;
    const float value =
        static_cast<float>(ctx.LoadGlobal(arguments.from + first + i)) *
            scale[i % 3] +
        shift[i % 3];
    StoreOne(ctx, out + i, value);
  }
}

// ---- norms

inline constexpr int kRowThreads = 128;
inline constexpr int kRowWarps = kRowThreads / kWarp;
inline constexpr int kRowOctet = 8;  // channels of a lane's piece

// How a picture's tokens are shared out to warps; the last part may be shorter.
// A warp that goes on to further rows loads the parameters once.
struct RowParts {
  explicit GM_HOST_DEVICE RowParts(int tokens)
      : rows(Larger(1, Smaller(tokens / 64, 8))),
        count(CeilDivide(tokens, rows)) {}
  int rows;
  int count;
};

// One warp a row at a time; a lane has kPieces pieces of eight channels.
template <class Ctx, int kPieces>
struct RowOfChannels {
  static constexpr int kValues = kPieces * kRowOctet;

  GM_DEVICE RowOfChannels(const Ctx& ctx, const ChannelLayout& layout)
      : ctx(ctx),
        lane(ctx.Thread() % kWarp),
        octets(layout.groups * layout.padded / kRowOctet),
        group_octets(layout.padded / kRowOctet),
        width(layout.width),
        inverse_count(1.0f / static_cast<float>(layout.groups * layout.width)) {
  }

  GM_DEVICE int Octet(int piece) const { return lane + piece * kWarp; }
  GM_DEVICE bool Has(int piece) const { return Octet(piece) < octets; }

  // `from` is the row's first element; absent pieces become zero.
  template <class T>
  GM_DEVICE void Load(const T* from, float* values) const {
    GM_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      GM_UNROLL
      for (int i = 0; i < kRowOctet; ++i) values[p * kRowOctet + i] = 0;
      if (Has(p)) {
        LoadValues<kRowOctet>(ctx, from + Octet(p) * kRowOctet,
                              values + p * kRowOctet);
      }
    }
  }
  GM_DEVICE void Add(const float* from, float* values) const {
    GM_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      if (!Has(p)) continue;
      float more[kRowOctet];
      LoadValues<kRowOctet>(ctx, from + Octet(p) * kRowOctet, more);
      GM_UNROLL
      for (int i = 0; i < kRowOctet; ++i) values[p * kRowOctet + i] += more[i];
    }
  }
  template <class T>
  GM_DEVICE void Store(T* to, const float* values) const {
    GM_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      if (Has(p)) {
        StoreValues<kRowOctet>(ctx, to + Octet(p) * kRowOctet,
                               values + p * kRowOctet);
      }
    }
  }

  GM_DEVICE void Norm(float epsilon, const float* weight, const float* bias,
                      float* values) const {
    float sum = 0;
    GM_UNROLL
    for (int i = 0; i < kValues; ++i) sum += values[i];
    const float mean = SumOverLanes<kWarp>(ctx, sum) * inverse_count;
    float squares = 0;
    GM_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      const int channel = Octet(p) % group_octets * kRowOctet;
      GM_UNROLL
      for (int i = 0; i < kRowOctet; ++i) {
        float& value = values[p * kRowOctet + i];
        value -= mean;
        // Padding is no part of the variance.
        if (Has(p) && channel + i < width) squares += value * value;
      }
    }
    const float variance = SumOverLanes<kWarp>(ctx, squares) * inverse_count;
    const float scale = ctx.ReciprocalSquareRoot(variance + epsilon);
    GM_UNROLL
    for (int i = 0; i < kValues; ++i) {
      values[i] = values[i] * scale * weight[i] + bias[i];
    }
  }

  const Ctx& ctx;
  const int lane, octets, group_octets, width;
  const float inverse_count;
};

template <class T, int kPieces, class Ctx>
GM_DEVICE void LayerNormBody(const Ctx& ctx,
                             const LayerNormArguments& arguments) {
  const RowOfChannels<Ctx, kPieces> row(ctx, arguments.layout);
  const RowParts parts(arguments.tokens);
  const int part = ctx.Block() * kRowWarps + ctx.Thread() / kWarp;
  const int image = part / parts.count;
  if (image >= arguments.batch) return;
  const int64_t stride = row.octets * kRowOctet;
  const int first = (part - image * parts.count) * parts.rows;
  const int end = Smaller(first + parts.rows, arguments.tokens);
  float weight[row.kValues], bias[row.kValues];
  float values[row.kValues], sum[row.kValues] = {};
  row.Load(arguments.weight, weight);
  row.Load(arguments.bias, bias);
  for (int token = first; token < end; ++token) {
    const int64_t at = (int64_t{image} * arguments.tokens + token) * stride;
    row.Load(static_cast<const T*>(arguments.x) + at, values);
    // From the L1 each time: a row of it in registers would spill.
    if (arguments.shift != nullptr) row.Add(arguments.shift, values);
    row.Norm(arguments.epsilon, weight, bias, values);
    row.Store(static_cast<T*>(arguments.out) + at, values);
    GM_UNROLL
    for (int i = 0; i < row.kValues; ++i) sum[i] += values[i];
  }
  if (arguments.sums != nullptr) row.Store(arguments.sums + part * stride, sum);
}

template <class T, int kPieces, class Ctx>
GM_DEVICE void GatedNormBody(const Ctx& ctx,
                             const GatedNormArguments& arguments, int blocks) {
  const RowOfChannels<Ctx, kPieces> row(ctx, arguments.layout);
  const int64_t stride = row.octets * kRowOctet;
  const int padded = arguments.layout.padded;
  float weight[row.kValues], bias[row.kValues];
  if (arguments.weight != nullptr) {
    row.Load(arguments.weight, weight);
    row.Load(arguments.bias, bias);
  }
  const int64_t rows = arguments.batch * arguments.tokens;
  for (int64_t r = int64_t{ctx.Block()} * kRowWarps + ctx.Thread() / kWarp;
       r < rows; r += int64_t{blocks} * kRowWarps) {
    const int64_t image = r / arguments.tokens;
    const T* const y = static_cast<const T*>(arguments.y) + r * padded;
    float values[row.kValues];
    GM_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      float* const piece = values + p * kRowOctet;
      GM_UNROLL
      for (int i = 0; i < kRowOctet; ++i) piece[i] = 0;
      if (!row.Has(p)) continue;
      const int octet = row.Octet(p);
      const int group = octet / row.group_octets;
      LoadValues<kRowOctet>(ctx,
                            y + group * rows * padded +
                                (octet - group * row.group_octets) * kRowOctet,
                            piece);
      float factor[kRowOctet];
      if (arguments.x != nullptr) {
        LoadValues<kRowOctet>(
            ctx,
            static_cast<const T*>(arguments.x) + r * stride + octet * kRowOctet,
            factor);
        GM_UNROLL
        for (int i = 0; i < kRowOctet; ++i) piece[i] *= factor[i];
      }
      if (arguments.scale != nullptr) {
        LoadValues<kRowOctet>(
            ctx, arguments.scale + image * stride + octet * kRowOctet, factor);
        GM_UNROLL
        for (int i = 0; i < kRowOctet; ++i) piece[i] *= factor[i];
      }
    }
    if (arguments.weight != nullptr) {
      row.Norm(arguments.epsilon, weight, bias, values);
    }
    row.Store(static_cast<T*>(arguments.out) + r * stride, values);
  }
}

// ---- feed-forward

inline constexpr int kMaxDepthwiseThreads = 256;

template <class Ctx, class T>
struct GeluSink {
  GM_DEVICE void Take(int row, const float* values) const {
    constexpr int kVector = 16 / int{sizeof(T)};
    float activated[kVector];
    GM_UNROLL
    for (int i = 0; i < kVector; ++i) activated[i] = Gelu(ctx, values[i]);
    StoreValues<kVector>(ctx, out + row * row_stride, activated);
  }
  const Ctx& ctx;
  T* out;
  int64_t row_stride;
};

template <class T, class Ctx>
GM_DEVICE void DepthwiseGeluBody(const Ctx& ctx,
                                 const DepthwiseGeluArguments& arguments,
                                 const DepthwisePlan& plan) {
  constexpr int kVector = 16 / int{sizeof(T)};
  const int vectors = arguments.channels / kVector;
  int tile = ctx.Block();
  const int vector_tiles = CeilDivide(vectors, plan.vectors);
  const int vector_tile = tile % vector_tiles;
  tile /= vector_tiles;
  const int column_tiles = CeilDivide(arguments.width, plan.columns);
  const int column_tile = tile % column_tiles;
  tile /= column_tiles;
  const int row_tiles = CeilDivide(arguments.height, plan.rows);
  const int row_tile = tile % row_tiles;
  const int image = tile / row_tiles;

  const int in_tile = ctx.Thread() / plan.vectors;
  const int vector =
      vector_tile * plan.vectors + ctx.Thread() - in_tile * plan.vectors;
  const int column = column_tile * plan.columns + in_tile;
  if (vector >= vectors || in_tile >= plan.columns ||
      column >= arguments.width) {
    return;
  }
  const int from = row_tile * plan.rows;
  const int end = Smaller(from + plan.rows, arguments.height);
  const int64_t picture =
      int64_t{image} * arguments.height * arguments.width * arguments.channels;
  const int channel = vector * kVector;
  const DepthwiseSource<T> source = {
      static_cast<const T*>(arguments.x) + picture + channel,
      arguments.channels,
      arguments.height,
      arguments.width,
      arguments.weight + channel,
      arguments.bias + channel,
      arguments.channels};
  const GeluSink<Ctx, T> sink = {ctx,
                                 static_cast<T*>(arguments.out) + picture +
                                     int64_t{column} * arguments.channels +
                                     channel,
                                 int64_t{arguments.width} * arguments.channels};
  ConvolveColumn<kVector>(ctx, source, column, from, end, sink);
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_ELEMENTWISE_BODY_H_
