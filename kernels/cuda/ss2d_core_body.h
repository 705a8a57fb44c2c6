// The kernel of the SS2D core (kernels/cuda/ss2d_core.h), over a thread
// context.
//
// A block has one image's group and one segment of its sequence. Phases, with a
// barrier after each:
//
//   convolution   a thread: a column of the segment's rectangle, 16 bytes of
//                 channels -> u, by place, in shared memory
//   projection    a few lanes a token: b, c and r of each place
//   local scan    a thread: a chunk, four channels, from state 0; Delta stays
//   in
//                 its registers -> the chunk's decay and last state
//   carry         a thread: a channel; takes the state before the segment from
//                 the block of the segment before, folds the chunks in order,
//                 hands the last state on
//   final scan    as the local one, from the chunk's true first state; y
//                 overwrites u
//   output        a few lanes a token: norm, gate
//
// Blocks take tickets when they start, and a block waits only for one with an
// earlier ticket: so none can wait for a block that is not running.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/depthwise_column.h"
#include "kernels/cuda/math.h"
#include "kernels/cuda/ss2d_core.h"
#include "kernels/cuda/ss2d_core_geometry.h"

namespace groupmamba::cuda {

// The barriers' numbers.
enum Ss2dBarrier {
  kTicketTaken,
  kConvolved,
  kProjected,
  kScannedLocally,
  kCarried,
  kScanned,
  kSs2dBarriers
};

struct Ss2dArguments {
  Ss2dShape shape;
  int segments;
  float epsilon;
  const void* xz;
  const float* parameters;
  void* scratch;
  void* out;
};

template <class Ctx, class T, int kPadded>
class Ss2dBlock {
 public:
  GM_DEVICE Ss2dBlock(const Ctx& ctx, const Ss2dArguments& arguments, int work)
      : ctx_(ctx),
        group_(work % kGroups),
        image_(work / kGroups % arguments.shape.batch),
        segment_(work / kGroups / arguments.shape.batch),
        segments_(arguments.segments),
        height_(arguments.shape.height),
        width_(arguments.shape.width),
        group_width_(arguments.shape.group_width),
        by_column_(IsByColumn(arguments.shape, group_)),
        reversed_(IsReversed(arguments.shape, group_)),
        line_(by_column_ ? height_ : width_, kPadded),
        lines_(by_column_ ? width_ : height_),
        first_(FirstLine(lines_, segment_, segments_)),
        count_(FirstLine(lines_, segment_ + 1, segments_) - first_),
        shared_(line_, count_, kPadded, int{sizeof(T)}) {
    const int64_t sequence = int64_t{image_} * kGroups + group_;
    const int64_t tokens = int64_t{height_} * width_;
    xz_ = static_cast<const T*>(arguments.xz) + sequence * tokens * 2 * kPadded;
    out_ = static_cast<T*>(arguments.out) + sequence * tokens * kPadded;
    parameters_ =
        arguments.parameters + int64_t{group_} * RowCount(kPadded) * kPadded;
    epsilon_ = arguments.epsilon;
    words_ = reinterpret_cast<uint64_t*>(static_cast<char*>(arguments.scratch) +
                                         kTicketBytes) +
             sequence * (segments_ - 1) * kPadded;
  }

  GM_DEVICE void Run() {
    Convolve();
    ctx_.template Barrier<kConvolved>();
    Project();
    ctx_.template Barrier<kProjected>();
    float delta[kChunk][kQuad];
    ScanLocally(delta);
    ctx_.template Barrier<kScannedLocally>();
    Carry();
    ctx_.template Barrier<kCarried>();
    Scan(delta);
    ctx_.template Barrier<kScanned>();
    Output();
  }

 private:
  using Math = typename MathOf<T>::Type;
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

  GM_DEVICE const float* Row(int row) const {
    return parameters_ + row * kPadded;
  }

  // The one place where directions occur: a token's line within the segment and
  // its position in it, in scan order, and back.
  GM_DEVICE int LineOf(int row, int column) const {
    const int line = by_column_ ? column : row;
    return (reversed_ ? lines_ - 1 - line : line) - first_;
  }
  GM_DEVICE int PositionOf(int row, int column) const {
    const int position = by_column_ ? row : column;
    return reversed_ ? line_.length - 1 - position : position;
  }
  GM_DEVICE int TokenOf(int line, int position) const {
    line += first_;
    if (reversed_) {
      line = lines_ - 1 - line;
      position = line_.length - 1 - position;
    }
    return by_column_ ? position * width_ + line : line * width_ + position;
  }
  GM_DEVICE int PlaceOf(int line, int position, const Divider& chunk) const {
    return line * line_.places() + position + chunk.Quotient(position);
  }

  // ---- convolution

  GM_DEVICE void Convolve() const {
    // The segment's rectangle of the picture.
    const int low = reversed_ ? lines_ - first_ - count_ : first_;
    const int rows = by_column_ ? height_ : count_;
    const int columns = by_column_ ? count_ : width_;
    const int first_row = by_column_ ? 0 : low;
    const int first_column = by_column_ ? low : 0;
    if (count_ == 0) return;
    const int across = columns * kVectors;
    const int parts = Larger(1, Smaller(rows, ctx_.Threads() / across));
    const int height = CeilDivide(rows, parts);
    for (int item = ctx_.Thread(); item < across * parts;
         item += ctx_.Threads()) {
      const int vector = item % kVectors;
      const int column = item / kVectors % columns;
      const int part = item / across;
      const int from = Smaller(part * height, rows);
      const int end = Smaller(from + height, rows);
      ConvolveRows(vector, first_column + column, first_row + from,
                   first_row + end);
    }
  }

  // Takes a column's outputs: u, at the token's place.
  struct ToShared {
    GM_DEVICE void Take(int row, const float* values) const {
      float u[kVector];
      GM_UNROLL
      for (int i = 0; i < kVector; ++i) {
        u[i] = Math::Silu(block.ctx_, values[i]);
      }
      const int place = block.PlaceOf(block.LineOf(row, column),
                                      block.PositionOf(row, column), chunk);
      StoreSharedValues<kVector, T>(
          block.ctx_, block.shared_.values + place * kPlaceBytes + vector * 16,
          u);
    }
    const Ss2dBlock& block;
    Divider chunk;
    int column;
    int vector;
  };

  // Rows [from, end) of a column.
  GM_DEVICE void ConvolveRows(int vector, int column, int from, int end) const {
    const int channel = vector * kVector;
    const DepthwiseSource<T> source = {
        xz_ + channel,
        2 * kPadded,
        height_,
        width_,
        Row(Ss2dRows::kConvolution) + channel,
        Row(Ss2dRows::kConvolutionBias) + channel,
        kPadded};
    const ToShared sink = {*this, Divider(line_.chunk), column, vector};
    ConvolveColumn<kVector>(ctx_, source, column, from, end, sink);
  }

  // ---- projection

  GM_DEVICE void Project() const {
    const int lane = ctx_.Thread() % kLanes;
    const bool has_octet = lane < kOctets;
    float weight[kRank + 2][kOctet];
    GM_UNROLL
    for (int r = 0; r < kRank + 2; ++r) {
      GM_UNROLL
      for (int i = 0; i < kOctet; ++i) weight[r][i] = 0;
      if (has_octet) {
        LoadValues<kOctet>(ctx_, Row(Ss2dRows::kB + r) + lane * kOctet,
                           weight[r]);
      }
    }
    const Divider length(line_.length), chunk(line_.chunk);
    const int tokens = count_ * line_.length;
    // Whole warps go round together, for the shuffles.
    for (int first = ctx_.Thread() / kWarp * (kWarp / kLanes); first < tokens;
         first += ctx_.Threads() / kLanes) {
      const int token = first + ctx_.Thread() % kWarp / kLanes;
      const int line = length.Quotient(token);
      const int place = PlaceOf(line, token - line * line_.length, chunk);
      ProjectToken(weight, place, token < tokens, lane, has_octet);
    }
  }

  GM_DEVICE void ProjectToken(const float (&weight)[kRank + 2][kOctet],
                              int place, bool valid, int lane,
                              bool has_octet) const {
    float u[kOctet] = {};
    if (valid && has_octet) {
      LoadSharedValues<kOctet, T>(
          ctx_,
          shared_.values + place * kPlaceBytes + lane * kOctet * int{sizeof(T)},
          u);
    }
    float row[kRow];
    GM_UNROLL
    for (int r = 0; r < kRow; ++r) {
      row[r] = 0;
      if (r >= kRank + 2) continue;
      GM_UNROLL
      for (int i = 0; i < kOctet; ++i)
        row[r] += u[i] * weight[r < kRank + 2 ? r : 0][i];
      row[r] = SumOverLanes<kLanes>(ctx_, row[r]);
    }
    if (valid && lane == 0) {
      StoreSharedValues<kRow, float>(ctx_, shared_.rows + place * kRow * 4,
                                     row);
    }
  }

  // ---- scan

  // This thread's chunk: its number in the segment, four channels, length.
  struct Item {
    int chunk;
    int channel;
    int place;
    int tokens;  // 0: none
  };
  GM_DEVICE Item ItemOfThread() const {
    Item item;
    item.chunk = ctx_.Thread() / kQuads;
    item.channel = ctx_.Thread() % kQuads * kQuad;
    item.place = item.chunk * (line_.chunk + 1);
    const int in_line = item.chunk % line_.chunks;
    item.tokens = Smaller(line_.chunk, line_.length - in_line * line_.chunk);
    if (item.chunk >= count_ * line_.chunks) item.tokens = 0;
    return item;
  }
  GM_DEVICE int ValueAt(const Item& item, int j) const {
    return shared_.values + (item.place + j) * kPlaceBytes +
           item.channel * int{sizeof(T)};
  }
  GM_DEVICE int StateAt(int part, int chunk, int channel) const {
    return part + (chunk * kPadded + channel) * 4;
  }

  // `delta` receives Delta of each token and channel, in units of ln 2.
  GM_DEVICE void ScanLocally(float (&delta)[kChunk][kQuad]) const {
    const Item item = ItemOfThread();
    if (item.tokens <= 0) return;
    float weight[kRank][kQuad], bias[kQuad], a[kQuad];
    GM_UNROLL
    for (int r = 0; r < kRank; ++r) {
      LoadValues<kQuad>(ctx_, Row(DeltaRow(kPadded) + r) + item.channel,
                        weight[r]);
    }
    LoadValues<kQuad>(ctx_, Row(Ss2dRows::kDeltaBias) + item.channel, bias);
    LoadValues<kQuad>(ctx_, Row(Ss2dRows::kA) + item.channel, a);
    float h[kQuad] = {}, sum[kQuad] = {};
    GM_UNROLL
    for (int j = 0; j < kChunk; ++j) {
      if (j >= item.tokens) continue;
      float row[kRow], u[kQuad];
      LoadSharedValues<kRow, float>(
          ctx_, shared_.rows + (item.place + j) * kRow * 4, row);
      LoadSharedValues<kQuad, T>(ctx_, ValueAt(item, j), u);
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) {
        float x = bias[i];
        GM_UNROLL
        for (int r = 0; r < kRank; ++r) x += row[2 + r] * weight[r][i];
        delta[j][i] = Math::Softplus2(ctx_, x);
        sum[i] += delta[j][i];
        h[i] = ctx_.Exp2(a[i] * delta[j][i]) * h[i] +
               delta[j][i] * (kLn2 * row[0]) * u[i];
      }
    }
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) sum[i] = ctx_.Exp2(a[i] * sum[i]);
    StoreSharedValues<kQuad, float>(
        ctx_, StateAt(shared_.decays, item.chunk, item.channel), sum);
    StoreSharedValues<kQuad, float>(
        ctx_, StateAt(shared_.states, item.chunk, item.channel), h);
  }

  GM_DEVICE void Carry() const {
    for (int channel = ctx_.Thread(); channel < kPadded;
         channel += ctx_.Threads()) {
      float h = 0;
      if (segment_ > 0) {
        h = ctx_.Take(words_ + (segment_ - 1) * kPadded + channel);
      }
      for (int chunk = 0; chunk < count_ * line_.chunks; ++chunk) {
        const float decay = ctx_.template LoadShared<float>(
            StateAt(shared_.decays, chunk, channel));
        const float last = ctx_.template LoadShared<float>(
            StateAt(shared_.states, chunk, channel));
        ctx_.StoreShared(StateAt(shared_.states, chunk, channel), h);
        h = decay * h + last;
      }
      if (segment_ + 1 < segments_) {
        ctx_.Publish(words_ + segment_ * kPadded + channel, h);
      }
    }
  }

  GM_DEVICE void Scan(const float (&delta)[kChunk][kQuad]) const {
    const Item item = ItemOfThread();
    if (item.tokens <= 0) return;
    float a[kQuad], d[kQuad], h[kQuad];
    LoadValues<kQuad>(ctx_, Row(Ss2dRows::kA) + item.channel, a);
    LoadValues<kQuad>(ctx_, Row(Ss2dRows::kD) + item.channel, d);
    LoadSharedValues<kQuad, float>(
        ctx_, StateAt(shared_.states, item.chunk, item.channel), h);
    GM_UNROLL
    for (int j = 0; j < kChunk; ++j) {
      if (j >= item.tokens) continue;
      float bc[2], u[kQuad];
      LoadSharedValues<2, float>(
          ctx_, shared_.rows + (item.place + j) * kRow * 4, bc);
      LoadSharedValues<kQuad, T>(ctx_, ValueAt(item, j), u);
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) {
        h[i] = ctx_.Exp2(a[i] * delta[j][i]) * h[i] +
               delta[j][i] * (kLn2 * bc[0]) * u[i];
        u[i] = bc[1] * h[i] + d[i] * u[i];
      }
      StoreSharedValues<kQuad, T>(ctx_, ValueAt(item, j), u);
    }
  }

  // ---- output

  GM_DEVICE void Output() const {
    const int lane = ctx_.Thread() % kLanes;
    const bool has_octet = lane < kOctets;
    float weight[kOctet] = {}, bias[kOctet] = {};
    if (has_octet) {
      LoadValues<kOctet>(ctx_, Row(Ss2dRows::kNormWeight) + lane * kOctet,
                         weight);
      LoadValues<kOctet>(ctx_, Row(Ss2dRows::kNormBias) + lane * kOctet, bias);
    }
    const Divider length(line_.length), chunk(line_.chunk);
    const int tokens = count_ * line_.length;
    for (int first = ctx_.Thread() / kWarp * (kWarp / kLanes); first < tokens;
         first += ctx_.Threads() / kLanes) {
      const int token = first + ctx_.Thread() % kWarp / kLanes;
      const int line = length.Quotient(token);
      const int position = token - line * line_.length;
      OutputToken(weight, bias, PlaceOf(line, position, chunk),
                  TokenOf(line, position), token < tokens && has_octet, lane);
    }
  }

  GM_DEVICE void OutputToken(const float (&weight)[kOctet],
                             const float (&bias)[kOctet], int place, int token,
                             bool valid, int lane) const {
    float y[kOctet] = {};
    if (valid) {
      LoadSharedValues<kOctet, T>(
          ctx_,
          shared_.values + place * kPlaceBytes + lane * kOctet * int{sizeof(T)},
          y);
    }
    float sum = 0;
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) sum += y[i];
    const float inverse = 1.0f / static_cast<float>(group_width_);
    const float mean = SumOverLanes<kLanes>(ctx_, sum) * inverse;
    float squares = 0;
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) {
      y[i] -= mean;
      // Padding is no part of the variance.
      if (lane * kOctet + i < group_width_) squares += y[i] * y[i];
    }
    const float variance = SumOverLanes<kLanes>(ctx_, squares) * inverse;
    if (!valid) return;
    const float scale = ctx_.ReciprocalSquareRoot(variance + epsilon_);
    float z[kOctet];
    LoadValues<kOctet>(
        ctx_, xz_ + (int64_t{token} * 2 + 1) * kPadded + lane * kOctet, z);
    GM_UNROLL
    for (int i = 0; i < kOctet; ++i) {
      z[i] = (y[i] * scale * weight[i] + bias[i]) * Math::Silu(ctx_, z[i]);
    }
    StoreValues<kOctet>(ctx_, out_ + int64_t{token} * kPadded + lane * kOctet,
                        z);
  }

  const Ctx& ctx_;
  const int group_, image_, segment_, segments_;
  const int height_, width_, group_width_;
  const bool by_column_, reversed_;
  const Lines line_;
  const int lines_;          // of the picture
  const int first_, count_;  // the segment's lines, in scan order
  const SharedLayout shared_;
  const T* xz_;
  T* out_;
  const float* parameters_;
  float epsilon_;
  uint64_t* words_;  // states handed on, [segment][channel]
};

template <class T, int kPadded, class Ctx>
GM_DEVICE void Ss2dCoreBody(const Ctx& ctx, const Ss2dArguments& arguments) {
  int work = ctx.Block();
  if (arguments.segments > 1) {
    if (ctx.Thread() == 0) {
      ctx.StoreShared(
          0,
          ctx.NextTicket(static_cast<uint32_t*>(arguments.scratch),
                         static_cast<uint32_t>(arguments.shape.batch * kGroups *
                                               arguments.segments)));
    }
    ctx.template Barrier<kTicketTaken>();
    work = static_cast<int>(ctx.template LoadShared<uint32_t>(0));
  }
  Ss2dBlock<Ctx, T, kPadded>(ctx, arguments, work).Run();
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_CORE_BODY_H_
