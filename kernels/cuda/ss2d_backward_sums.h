// Sums over tokens in the SS2D core's backward pass: the gradients of the
// parameters. Each is taken token by token within a band, band by band within a
// segment, from the last segment to the first through words of memory, and then
// over the batch: always in the same order. S: an Ss2dSegment of the backward
// pass.

#ifndef GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SUMS_H_
#define GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SUMS_H_

#include "kernels/cuda/context.h"
#include "kernels/cuda/ss2d_backward_geometry.h"
#include "kernels/cuda/ss2d_backward_scan.h"

namespace groupmamba::cuda {

template <class S>
GM_DEVICE int Bands(const S& s) {
  return CeilDivide(s.count, s.band);
}

// Where a band's sum of a row of the parameters is.
template <class S>
GM_DEVICE int SumAt(const S& s, int band, int row, int channel) {
  return s.Shared().sums +
         ((band * RowCount(S::kPadded) + row) * S::kPadded + channel) * 4;
}

// A band's tokens in order: line, position in it, place.
template <class S>
class BandTokens {
 public:
  GM_DEVICE BandTokens(const S& s, int band)
      : line(band * s.band),
        place(line * s.line.places()),
        length_(s.line.length),
        chunk_(s.line.chunk),
        end_(Smaller(s.count, line + s.band)) {}
  GM_DEVICE bool Done() const { return line >= end_; }
  GM_DEVICE void Next() {
    ++place;
    ++position;
    if (++in_chunk_ == chunk_ || position == length_) {
      // What the line's last chunk lacks, and the unused place.
      place += chunk_ - in_chunk_ + 1;
      in_chunk_ = 0;
    }
    if (position == length_) {
      position = 0;
      ++line;
    }
  }

  int line;
  int place;
  int position = 0;

 private:
  int length_, chunk_, end_;
  int in_chunk_ = 0;
};

// The chunks' sums that lie where decays and states do, by bands, as rows
// `of_decays` and `of_states`.
template <class S>
GM_DEVICE void FoldChunks(const S& s, int of_decays, int of_states) {
  const int items = Bands(s) * 2 * S::kQuads;
  const int of_band = s.band * s.line.chunks;
  for (int item = s.ctx.Thread(); item < items; item += s.ctx.Threads()) {
    const int channel = item % S::kQuads * kQuad;
    const int which = item / S::kQuads % 2;
    const int band = item / (S::kQuads * 2);
    const int end = Smaller((band + 1) * of_band, s.count * s.line.chunks);
    float sum[kQuad] = {};
    for (int chunk = band * of_band; chunk < end; ++chunk) {
      float values[kQuad];
      LoadSharedValues<kQuad, float>(
          s.ctx,
          StateAt<S>(which == 0 ? s.Shared().decays : s.Shared().states, chunk,
                     channel),
          values);
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) sum[i] += values[i];
    }
    StoreSharedValues<kQuad, float>(
        s.ctx, SumAt(s, band, which == 0 ? of_decays : of_states, channel),
        sum);
  }
}

// Sums of the tokens' values times their rows' floats, `part` being rows or
// row_gradients. With rates: the gradients of Delta's parameters, whose bias
// takes the place of b and c.
template <bool kOfRates, class S>
GM_DEVICE void SumProducts(const S& s, int part) {
  constexpr int kFours = S::kRow / 4;
  const int items = Bands(s) * kFours * S::kQuads;
  for (int item = s.ctx.Thread(); item < items; item += s.ctx.Threads()) {
    const int channel = item % S::kQuads * kQuad;
    const int four = item / S::kQuads % kFours;
    const int band = item / (S::kQuads * kFours);
    float sums[4][kQuad] = {};
    for (BandTokens<S> token(s, band); !token.Done(); token.Next()) {
      float row[4], values[kQuad];
      LoadSharedValues<4, float>(s.ctx, RowAt<S>(part, token.place) + four * 16,
                                 row);
      LoadSharedValues<kQuad, typename S::Value>(
          s.ctx,
          s.Shared().values + token.place * S::kPlaceBytes +
              channel * S::kBytes,
          values);
      if (kOfRates && four == 0) row[0] = 1;
      GM_UNROLL
      for (int r = 0; r < 4; ++r) {
        GM_UNROLL
        for (int i = 0; i < kQuad; ++i) sums[r][i] += row[r] * values[i];
      }
    }
    GM_UNROLL
    for (int r = 0; r < 4; ++r) {
      const int row = four * 4 + r;
      if (row >= S::kRank + 2 || (kOfRates && row == 1)) continue;
      const int to = !kOfRates  ? Ss2dRows::kB + row
                     : row == 0 ? Ss2dRows::kDeltaBias
                                : DeltaRow(S::kPadded) + row - 2;
      StoreSharedValues<kQuad, float>(s.ctx, SumAt(s, band, to, channel),
                                      sums[r]);
    }
  }
}

// One band's part of the convolution's gradients: a row of taps, or the bias
// (`tap_row` 3), of one vector of channels.
template <class S>
GM_DEVICE void SumConvolution(const S& s, int band, int tap_row, int vector) {
  const int channel = vector * S::kVector;
  float sums[3][S::kVector] = {};
  for (BandTokens<S> token(s, band); !token.Done(); token.Next()) {
    float gradient[S::kVector];
    LoadSharedValues<S::kVector, typename S::Value>(
        s.ctx,
        s.Shared().gradients + token.place * S::kPlaceBytes +
            vector * S::kVectorBytes,
        gradient);
    if (tap_row == 3) {
      GM_UNROLL
      for (int i = 0; i < S::kVector; ++i) sums[0][i] += gradient[i];
      continue;
    }
    const Pixel pixel = s.PixelOf(token.line, token.position);
    const int row = pixel.row + tap_row - 1;
    if (row < 0 || row >= s.height) continue;
    GM_UNROLL
    for (int dx = 0; dx < 3; ++dx) {
      const int column = pixel.column + dx - 1;
      if (column < 0 || column >= s.width) continue;
      float x[S::kVector];
      LoadValues<S::kVector>(
          s.ctx,
          s.Xz() + (int64_t{row} * s.width + column) * 2 * S::kPadded + channel,
          x);
      GM_UNROLL
      for (int i = 0; i < S::kVector; ++i) sums[dx][i] += gradient[i] * x[i];
    }
  }
  GM_UNROLL
  for (int dx = 0; dx < 3; ++dx) {
    if (tap_row == 3 && dx > 0) continue;
    const int to = tap_row == 3 ? Ss2dRows::kConvolutionBias
                                : Ss2dRows::kConvolution + tap_row * 3 + dx;
    StoreSharedValues<S::kVector, float>(s.ctx, SumAt(s, band, to, channel),
                                         sums[dx]);
  }
}

template <class S>
GM_DEVICE void SumConvolutions(const S& s) {
  const int items = Bands(s) * 4 * S::kVectors;
  for (int item = s.ctx.Thread(); item < items; item += s.ctx.Threads()) {
    SumConvolution(s, item / (4 * S::kVectors), item / S::kVectors % 4,
                   item % S::kVectors);
  }
}

template <class Ctx>
GM_DEVICE void TakeQuad(const Ctx& ctx, uint64_t* words, float* values) {
  GM_UNROLL
  for (int i = 0; i < kQuad; i += 2) {
    Unpack(ctx.TakePair(words + i / 2), values, values + i);
  }
}
template <class Ctx>
GM_DEVICE void PublishQuad(const Ctx& ctx, uint64_t* words,
                           const float* values) {
  GM_UNROLL
  for (int i = 0; i < kQuad; i += 2) {
    ctx.PublishPair(words + i / 2, Pack<Word2>(ctx, values, values + i));
  }
}

// The segment's bands onto what the later segments' gave; the first segment's
// sums are the image's.
template <class S>
GM_DEVICE void FoldBands(const S& s) {
  constexpr int kFloats = GroupFloats(S::kPadded);
  const int bands = Bands(s);
  for (int at = s.ctx.Thread() * kQuad; at < kFloats;
       at += s.ctx.Threads() * kQuad) {
    float sum[kQuad] = {};
    if (s.segment + 1 < s.arguments.segments) {
      TakeQuad(s.ctx, BorderWords(s, s.segment) + S::kPadded + at / 2, sum);
    }
    for (int band = bands - 1; band >= 0; --band) {
      float values[kQuad];
      LoadSharedValues<kQuad, float>(s.ctx, SumAt(s, band, 0, at), values);
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) sum[i] += values[i];
    }
    if (s.segment == 0) {
      StoreValues<kQuad>(
          s.ctx, s.arguments.partials + int64_t{s.sequence} * kFloats + at,
          sum);
      continue;
    }
    PublishQuad(s.ctx, BorderWords(s, s.segment - 1) + S::kPadded + at / 2,
                sum);
  }
}

// The second launch: the sum over the batch. Each of kReduceParts threads adds
// every kReduceParts-th image's, and then the parts are added.
enum Ss2dReduceBarrier { kPartsSummed, kSs2dReduceBarriers };

template <class Ctx>
GM_DEVICE void Ss2dReduceBody(const Ctx& ctx,
                              const Ss2dReduceArguments& arguments) {
  const int lane = ctx.Thread() % kWarp, part = ctx.Thread() / kWarp;
  const int at = (ctx.Block() * kWarp + lane) * kQuad;
  const int group = at / arguments.group_floats;
  const bool valid = group < kGroups;
  float sum[kQuad] = {};
  if (valid) {
    const float* const from =
        arguments.partials +
        int64_t{group} * arguments.batch * arguments.group_floats +
        at % arguments.group_floats;
    for (int image = part; image < arguments.batch; image += kReduceParts) {
      float values[kQuad];
      LoadValues<kQuad>(ctx, from + int64_t{image} * arguments.group_floats,
                        values);
      GM_UNROLL
      for (int i = 0; i < kQuad; ++i) sum[i] += values[i];
    }
  }
  StoreSharedValues<kQuad, float>(ctx, ctx.Thread() * 16, sum);
  ctx.template Barrier<kPartsSummed>();
  if (!valid || part > 0) return;
  for (int other = 1; other < kReduceParts; ++other) {
    float values[kQuad];
    LoadSharedValues<kQuad, float>(ctx, (other * kWarp + lane) * 16, values);
    GM_UNROLL
    for (int i = 0; i < kQuad; ++i) sum[i] += values[i];
  }
  StoreValues<kQuad>(ctx, arguments.sums + at, sum);
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_SS2D_BACKWARD_SUMS_H_
