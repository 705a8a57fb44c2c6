// The backward scan over any of the SIMD wrappers, in two passes over each
// block: the first repeats the forward scan and leaves records, the second
// walks back.
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
  using Vec = typename Simd::Vec;

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
    const ScanInputs& in;
    const ConstTokenTensor& dy;
    const ScanGradients& out;
    Record* records;  // [step][vector of the block]
  };

  static void Run(const ScanShape& shape, const TokenOrder& order,
                  const TokenOrder& reversed, const ScanInputs& in,
                  const ConstTokenTensor& dy, const ScanGradients& out,
                  void* scratch) {
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

  template <int kVectors, bool kPart>
  static void RecordStates(const ScanBlock<Simd, kVectors, kPart>& block,
                           const Call& call) {
    using Block = ScanBlock<Simd, kVectors, kPart>;
    const ConstTokenTensor us = block.At(call.in.u);
    const ConstTokenTensor bs = block.AtImage(call.in.b);
    Vec h[kVectors];
    for (int v = 0; v < kVectors; ++v) h[v] = Simd::Set(0.0f);
    Record* record = call.records;
    block.ForEachTile(call.order, [&](const typename Block::Tile& tile) {
      for (int t = 0; t < tile.count; ++t) {
        const int64_t token = tile.token[t];
        const float* u_row = us.data + token * us.token_stride;
        const Vec b = Simd::Set(bs.data[token * bs.token_stride]);
        for (int v = 0; v < kVectors; ++v, ++record) {
          const Vec delta = tile.delta[t][v];
          const Vec decay = tile.decay[t][v];
          record->state_before = h[v];
          record->decay = decay;
          record->delta = delta;
          record->sigmoid = SimdMath<Simd>::SigmoidGivenExp(
              tile.x[t][v], tile.exp_of_minus_abs_x[t][v]);
          h[v] = Simd::MulAdd(decay, h[v], delta * (b * block.Load(u_row, v)));
        }
      }
    });
  }

  // The sums over tokens of a block's channels.
  template <int kVectors>
  struct Sums {
    Vec da[kVectors], dd[kVectors], dbias[kVectors];
  };

  template <int kVectors, bool kPart>
  static void WalkBack(const ScanBlock<Simd, kVectors, kPart>& block,
                       const Call& call) {
    const TokenOrder& order = call.reversed;
    Vec d[kVectors], carry[kVectors];
    Sums<kVectors> sums;
    for (int v = 0; v < kVectors; ++v) {
      d[v] = block.Load(call.in.d + block.channel(), v);
      carry[v] = sums.da[v] = sums.dd[v] = sums.dbias[v] = Simd::Set(0.0f);
    }
    const Record* records =
        call.records + order.outer_count * order.inner_count * kVectors;
    for (int64_t i = 0; i < order.outer_count; ++i) {
      int64_t token = order.first + i * order.outer_step;
      for (int64_t j = 0; j < order.inner_count; ++j) {
        records -= kVectors;
        StepBack(block, call, token, records, d, carry, &sums);
        token += order.inner_step;
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      AddTo(block, call.out.da, v, sums.da[v]);
      AddTo(block, call.out.dd, v, sums.dd[v]);
      AddTo(block, call.out.ddelta_bias, v, sums.dbias[v]);
    }
  }

  // One token; carry is decay_(t+1) g_(t+1) on entry, and decay_t g_t on
  // return.
  template <int kVectors, bool kPart>
  static void StepBack(const ScanBlock<Simd, kVectors, kPart>& block,
                       const Call& call, int64_t token, const Record* records,
                       const Vec* d, Vec* carry, Sums<kVectors>* sums) {
    const auto row = [&](const auto& tensor) {
      return block.At(tensor).data + token * tensor.token_stride;
    };
    const auto element = [&](const auto& tensor) {
      return block.AtImage(tensor).data + token * tensor.token_stride;
    };
    const Vec b = Simd::Set(*element(call.in.b));
    const Vec c = Simd::Set(*element(call.in.c));
    Vec db = Simd::Set(0.0f), dc = Simd::Set(0.0f);
    for (int v = 0; v < kVectors; ++v) {
      const Record& record = records[v];
      const Vec u = block.Load(row(call.in.u), v);
      const Vec dy = block.Load(row(call.dy), v);

      const Vec g = Simd::MulAdd(c, dy, carry[v]);
      carry[v] = g * record.decay;
      const Vec gp = carry[v] * record.state_before;
      const Vec g_delta = g * record.delta;
      const Vec bu = b * u;
      const Vec ddelta = Simd::MulAdd(g, bu, block.a(v) * gp) * record.sigmoid;
      block.Store(row(call.out.du), v, Simd::MulAdd(g_delta, b, d[v] * dy));
      block.Store(row(call.out.ddelta), v, ddelta);

      const Vec h =
          Simd::MulAdd(record.decay, record.state_before, record.delta * bu);
      db = Simd::MulAdd(g_delta, u, db);
      dc = Simd::MulAdd(dy, h, dc);
      sums->da[v] = Simd::MulAdd(record.delta, gp, sums->da[v]);
      sums->dd[v] = Simd::MulAdd(dy, u, sums->dd[v]);
      sums->dbias[v] = sums->dbias[v] + ddelta;
    }
    // Blocks come in the order of their channels, so this sum's order is fixed.
    const bool first = block.channel() == 0;
    float& db_sum = *element(call.out.db);
    float& dc_sum = *element(call.out.dc);
    db_sum = (first ? 0 : db_sum) + Simd::Sum(db);
    dc_sum = (first ? 0 : dc_sum) + Simd::Sum(dc);
  }

  template <class Block>
  static void AddTo(const Block& block, float* channels, int v, Vec x) {
    float* at = channels + block.channel();
    block.Store(at, v, block.Load(at, v) + x);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SCAN_BACKWARD_H_
