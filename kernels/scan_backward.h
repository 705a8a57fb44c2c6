// The backward scan over any of the SIMD wrappers, in two passes: the first
// repeats the forward scan and leaves records, the second walks back. A whole
// image goes block by block through both; a piece of one (kernels/ss2d_*.h)
// needs y of all blocks before the second, and hands in what lies around it.
//
// With g_t the gradient by h_t, and P_t = exp(Delta_t a) h_(t-1), so that
// h_t = P_t + Delta_t b_t u_t:
//
//   g_t       = c_t dy_t + exp(Delta_(t+1) a) g_(t+1)
//   du_t      = d dy_t + g_t Delta_t b_t
//   dDelta_t  = g_t b_t u_t + a g_t P_t
//   ddelta_t  = dDelta_t sigmoid(delta_t + delta_bias)
//   db_t      = sum over channels of g_t Delta_t u_t
//   dc_t      = sum over channels of dy_t h_t
//   da, dd, ddelta_bias = sums over images and tokens of Delta_t g_t P_t,
//                         dy_t u_t, ddelta_t

#ifndef GROUPMAMBA_KERNELS_SCAN_BACKWARD_H_
#define GROUPMAMBA_KERNELS_SCAN_BACKWARD_H_

#include <cstdint>

#include "kernels/scan_block.h"
#include "kernels/scan_variant.h"

namespace groupmamba::kernels {

template <class Simd>
struct ScanBackward {
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  using Inputs = BasicScanInputs<Scalar>;
  using Gradients = BasicScanGradients<Scalar>;
  using Tensor = BasicTokenTensor<Scalar>;
  using ConstTensor = BasicTokenTensor<const Scalar>;

  // What the second pass needs of the first, of one vector at one step.
  struct Record {
    Vec state_before;  // h_(t-1)
    Vec decay;
    Vec delta;  // Delta_t
    Vec sigmoid;
  };

  static constexpr int kMaxVectors = 2;
  static constexpr int64_t kScratchBytesPerToken = kMaxVectors * sizeof(Record);

  struct Call {
    const TokenOrder& order;
    const TokenOrder& reversed;
    const Inputs& in;
    const ConstTensor& dy;
    const Gradients& out;
    Record* records;  // [step][vector of the block]

    // Of a piece of an image; null: a whole one.
    const Scalar* states = nullptr;  // [channel], h before the first step
    Scalar* carry = nullptr;    // [channel]: decay_(t+1) g_(t+1) of the step
                                // after the last one, then of the first
    const Tensor* y = nullptr;  // where the first pass leaves y
  };

  static void Run(const ScanShape& shape, const TokenOrder& order,
                  const TokenOrder& reversed, const Inputs& in,
                  const ConstTensor& dy, const Gradients& out, void* scratch) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      out.da[c] = out.dd[c] = out.ddelta_bias[c] = 0;
    }
    const Call call{order, reversed, in,
                    dy,    out,      static_cast<Record*>(scratch)};
    for (int64_t image = 0; image < shape.batch; ++image) {
      ForEachBlock<Simd, kMaxVectors>(
          shape.channels,
          [&]<int kVectors, bool kPart>(int64_t channel, int part) {
            const ScanBlock<Simd, kVectors, kPart> block(in, image, channel,
                                                         part);
            RecordStates(block, call);
            WalkBack(block, call);
          });
    }
  }

  // The first pass over all blocks of a piece, then the second. `channels` fill
  // vectors; there is a record for each vector and step.
  static void RecordPiece(int64_t channels, const Call& call) {
    ForEachBlockOfPiece(channels, call, [](const auto& block, const Call& its) {
      RecordStates(block, its);
    });
  }
  static void WalkBackPiece(int64_t channels, const Call& call) {
    ForEachBlockOfPiece(channels, call, [](const auto& block, const Call& its) {
      WalkBack(block, its);
    });
  }

  template <class Pass>
  static void ForEachBlockOfPiece(int64_t channels, Call call, Pass pass) {
    ForEachBlock<Simd, kMaxVectors>(channels, [&]<int kVectors, bool kPart>(
                                                  int64_t channel, int part) {
      pass(ScanBlock<Simd, kVectors, kPart>(call.in, 0, channel, part), call);
      call.records +=
          kVectors * call.order.outer_count * call.order.inner_count;
    });
  }

  template <int kVectors, bool kPart>
  static void RecordStates(const ScanBlock<Simd, kVectors, kPart>& block,
                           const Call& call) {
    if (call.y) {
      RecordStatesAnd<true>(block, call);
    } else {
      RecordStatesAnd<false>(block, call);
    }
  }

  template <bool kWithY, int kVectors, bool kPart>
  static void RecordStatesAnd(const ScanBlock<Simd, kVectors, kPart>& block,
                              const Call& call) {
    using Block = ScanBlock<Simd, kVectors, kPart>;
    const ConstTensor us = block.At(call.in.u);
    const ConstTensor bs = block.AtImage(call.in.b);
    const ConstTensor cs = block.AtImage(call.in.c);
    const Tensor ys = kWithY ? block.At(*call.y) : Tensor{};
    Vec d[kVectors], h[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      d[v] = block.Load(call.in.d + block.channel(), v);
      h[v] = call.states ? block.Load(call.states + block.channel(), v)
                         : Simd::Set(Scalar{0});
    }
    Record* record = call.records;
    typename Block::Place place(call.order);
    typename Block::Tile tile;
    while (block.NextTile(&place, &tile)) {
      for (int t = 0; t < tile.count; ++t) {
        const int64_t token = tile.token[t];
        const Scalar* u_row = us.data + token * us.token_stride;
        const Vec b = Simd::Set(bs.data[token * bs.token_stride]);
        for (int v = 0; v < kVectors; ++v, ++record) {
          const Vec u = block.Load(u_row, v);
          const Vec delta = tile.delta[t][v];
          const Vec decay = tile.decay[t][v];
          record->state_before = h[v];
          record->decay = decay;
          record->delta = delta;
          record->sigmoid = SimdMath<Simd>::SigmoidGivenExp(
              tile.x[t][v], tile.exp_of_minus_abs_x[t][v]);
          h[v] = Simd::MulAdd(decay, h[v], delta * (b * u));
          if constexpr (kWithY) {
            const Vec c = Simd::Set(cs.data[token * cs.token_stride]);
            block.Store(ys.data + token * ys.token_stride, v,
                        Simd::MulAdd(c, h[v], d[v] * u));
          }
        }
      }
    }
  }

  // The second pass over one block. A local copy of everything, so that it can
  // live in registers.
  template <int kVectors, bool kPart>
  struct Walk {
    Walk(const ScanBlock<Simd, kVectors, kPart>& block, const Call& call)
        : block(block),
          u(block.At(call.in.u)),
          dy(block.At(call.dy)),
          b(block.AtImage(call.in.b)),
          c(block.AtImage(call.in.c)),
          du(block.At(call.out.du)),
          ddelta(block.At(call.out.ddelta)),
          db(block.AtImage(call.out.db)),
          dc(block.AtImage(call.out.dc)),
          is_first(block.channel() == 0) {
      for (int v = 0; v < kVectors; ++v) {
        a[v] = block.a(v);
        d[v] = block.Load(call.in.d + block.channel(), v);
        carry[v] = call.carry ? block.Load(call.carry + block.channel(), v)
                              : Simd::Set(Scalar{0});
        da[v] = dd[v] = dbias[v] = Simd::Set(Scalar{0});
      }
    }

    [[gnu::always_inline]] void StepBack(int64_t token, const Record* records) {
      const Vec b_t = Simd::Set(b.data[token * b.token_stride]);
      const Vec c_t = Simd::Set(c.data[token * c.token_stride]);
      const Scalar* u_row = u.data + token * u.token_stride;
      const Scalar* dy_row = dy.data + token * dy.token_stride;
      Scalar* du_row = du.data + token * du.token_stride;
      Scalar* ddelta_row = ddelta.data + token * ddelta.token_stride;
      Vec db_t = Simd::Set(Scalar{0}), dc_t = Simd::Set(Scalar{0});
      for (int v = 0; v < kVectors; ++v) {
        const Vec state_before = records[v].state_before;
        const Vec decay = records[v].decay;
        const Vec delta = records[v].delta;
        const Vec u_t = block.Load(u_row, v);
        const Vec dy_t = block.Load(dy_row, v);

        const Vec g = Simd::MulAdd(c_t, dy_t, carry[v]);
        carry[v] = g * decay;
        const Vec gp = carry[v] * state_before;
        const Vec g_delta = g * delta;
        const Vec bu = b_t * u_t;
        const Vec dx = Simd::MulAdd(g, bu, a[v] * gp) * records[v].sigmoid;
        block.Store(du_row, v, Simd::MulAdd(g_delta, b_t, d[v] * dy_t));
        block.Store(ddelta_row, v, dx);

        const Vec h = Simd::MulAdd(decay, state_before, delta * bu);
        db_t = Simd::MulAdd(g_delta, u_t, db_t);
        dc_t = Simd::MulAdd(dy_t, h, dc_t);
        da[v] = Simd::MulAdd(delta, gp, da[v]);
        dd[v] = Simd::MulAdd(dy_t, u_t, dd[v]);
        dbias[v] = dbias[v] + dx;
      }
      // Blocks come in the order of their channels, so this sum's order is
      // fixed.
      Scalar& db_sum = db.data[token * db.token_stride];
      Scalar& dc_sum = dc.data[token * dc.token_stride];
      db_sum = (is_first ? 0 : db_sum) + Simd::Sum(db_t);
      dc_sum = (is_first ? 0 : dc_sum) + Simd::Sum(dc_t);
    }

    const ScanBlock<Simd, kVectors, kPart> block;
    const ConstTensor u, dy, b, c;
    const Tensor du, ddelta, db, dc;
    const bool is_first;  // the first block of the image
    Vec a[kVectors], d[kVectors];
    Vec carry[kVectors];  // decay_(t+1) g_(t+1)
    Vec da[kVectors], dd[kVectors], dbias[kVectors];
  };

  template <int kVectors, bool kPart>
  static void WalkBack(const ScanBlock<Simd, kVectors, kPart>& block,
                       const Call& call) {
    const TokenOrder order = call.reversed;
    Walk<kVectors, kPart> walk(block, call);
    const Record* records =
        call.records + order.outer_count * order.inner_count * kVectors;
    for (int64_t i = 0; i < order.outer_count; ++i) {
      int64_t token = order.first + i * order.outer_step;
      for (int64_t j = 0; j < order.inner_count; ++j) {
        records -= kVectors;
        walk.StepBack(token, records);
        token += order.inner_step;
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      if (call.carry)
        block.Store(call.carry + block.channel(), v, walk.carry[v]);
      AddTo(block, call.out.da, v, walk.da[v]);
      AddTo(block, call.out.dd, v, walk.dd[v]);
      AddTo(block, call.out.ddelta_bias, v, walk.dbias[v]);
    }
  }

  template <class Block>
  static void AddTo(const Block& block, Scalar* channels, int v, Vec x) {
    Scalar* at = channels + block.channel();
    block.Store(at, v, block.Load(at, v) + x);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_BACKWARD_H_
