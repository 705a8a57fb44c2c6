// The selective scan over any of the SIMD wrappers (simd_*.h): what
// kernels/selective_scan.h defines, vectorised over channels.
//
// Every function is a member of a template over the wrapper, so that the code
// compiled for one instruction set is never the linker's choice for another.
//
// An image's channels are cut into blocks of a few vectors, whose states stay
// in registers while the block walks over the tokens; the independent vectors
// hide each other's latency. What is left of the channels goes into a part of a
// vector.

#ifndef GROUPMAMBA_KERNELS_SELECTIVE_SCAN_BODY_H_
#define GROUPMAMBA_KERNELS_SELECTIVE_SCAN_BODY_H_

#include <cstdint>

#include "kernels/scan_variant.h"
#include "kernels/simd_math.h"

namespace groupmamba::kernels {

template <class Simd>
class ScanBody {
 public:
  static void Forward(const ScanShape& shape, const TokenOrder& order,
                      const ScanInputs& in, const TokenTensor& y) {
    for (int64_t n = 0; n < shape.batch; ++n) {
      for (int64_t c = 0; c < shape.channels;) {
        const int64_t left = shape.channels - c;
        if (left >= 4 * kLanes) {
          ForwardBlock<4, false>(order, in, y, n, c, 0);
          c += 4 * kLanes;
        } else if (left >= 2 * kLanes) {
          ForwardBlock<2, false>(order, in, y, n, c, 0);
          c += 2 * kLanes;
        } else if (left >= kLanes) {
          ForwardBlock<1, false>(order, in, y, n, c, 0);
          c += kLanes;
        } else {
          ForwardBlock<1, true>(order, in, y, n, c, static_cast<int>(left));
          c = shape.channels;
        }
      }
    }
  }

  static void Backward(const ScanShape& shape, const TokenOrder& order,
                       const TokenOrder& reversed, const ScanInputs& in,
                       const ConstTokenTensor& dy,
                       const ScanGradients& gradients, float* scratch) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      gradients.da[c] = gradients.dd[c] = gradients.ddelta_bias[c] = 0;
    }
    const BackwardCall call{order, reversed, in, dy, gradients, scratch};
    for (int64_t n = 0; n < shape.batch; ++n) {
      for (int64_t c = 0; c < shape.channels;) {
        const int64_t left = shape.channels - c;
        if (left >= 2 * kLanes) {
          BackwardBlock<2, false>(call, n, c, 0);
          c += 2 * kLanes;
        } else if (left >= kLanes) {
          BackwardBlock<1, false>(call, n, c, 0);
          c += kLanes;
        } else {
          BackwardBlock<1, true>(call, n, c, static_cast<int>(left));
          c = shape.channels;
        }
      }
    }
  }

  static constexpr ScanVariant kVariant = {
      &Forward, &Backward,
      /*scratch_floats_per_token=*/2 * 4 * Simd::kLanes};

 private:
  using Vec = typename Simd::Vec;
  using Math = SimdMath<Simd>;
  static constexpr int kLanes = Simd::kLanes;

  struct BackwardCall {
    const TokenOrder& order;
    const TokenOrder& reversed;
    const ScanInputs& in;
    const ConstTokenTensor& dy;
    const ScanGradients& gradients;
    float* scratch;
  };

  // What the second pass of the backward scan needs of the first, of one vector
  // at one step. With the state before the step, the state after it is one
  // multiply-add away.
  struct Record {
    float state_before[kLanes];
    float decay[kLanes];
    float delta[kLanes];
    float sigmoid[kLanes];
  };

  template <bool kPart>
  static Vec Load(const float* from, int part) {
    if constexpr (kPart) return Simd::LoadPart(from, part);
    return Simd::Load(from);
  }
  template <bool kPart>
  static void Store(float* to, Vec x, int part) {
    if constexpr (kPart) return Simd::StorePart(to, x, part);
    Simd::Store(to, x);
  }

  template <class Visitor>
  static void ForEachToken(const TokenOrder& order, Visitor visit) {
    for (int64_t i = 0; i < order.outer_count; ++i) {
      int64_t token = order.first + i * order.outer_step;
      for (int64_t j = 0; j < order.inner_count; ++j) {
        visit(token);
        token += order.inner_step;
      }
    }
  }

  // Channels [channel, channel + kVectors * kLanes) of one image, or `part`
  // channels from `channel` on.
  template <int kVectors, bool kPart>
  static void ForwardBlock(const TokenOrder& order, const ScanInputs& in,
                           const TokenTensor& y, int64_t image, int64_t channel,
                           int part) {
    static_assert(!kPart || kVectors == 1);
    const float* u_at = in.u.data + image * in.u.image_stride + channel;
    const float* delta_at =
        in.delta.data + image * in.delta.image_stride + channel;
    const float* b_at = in.b.data + image * in.b.image_stride;
    const float* c_at = in.c.data + image * in.c.image_stride;
    float* y_at = y.data + image * y.image_stride + channel;
    const int64_t u_stride = in.u.token_stride;
    const int64_t delta_stride = in.delta.token_stride;
    const int64_t b_stride = in.b.token_stride;
    const int64_t c_stride = in.c.token_stride;
    const int64_t y_stride = y.token_stride;

    Vec a[kVectors], d[kVectors], bias[kVectors], h[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      a[v] = Load<kPart>(in.a + channel + v * kLanes, part);
      d[v] = Load<kPart>(in.d + channel + v * kLanes, part);
      bias[v] = Load<kPart>(in.delta_bias + channel + v * kLanes, part);
      h[v] = Simd::Set(0.0f);
    }
    ForEachToken(order, [&](int64_t token) {
      const Vec b = Simd::Set(b_at[token * b_stride]);
      const Vec c = Simd::Set(c_at[token * c_stride]);
      for (int v = 0; v < kVectors; ++v) {
        const Vec u = Load<kPart>(u_at + token * u_stride + v * kLanes, part);
        const Vec delta = Math::Softplus(
            Load<kPart>(delta_at + token * delta_stride + v * kLanes, part) +
            bias[v]);
        const Vec decay = Math::ExpOfNegative(delta * a[v]);
        h[v] = Simd::MulAdd(decay, h[v], delta * (b * u));
        Store<kPart>(y_at + token * y_stride + v * kLanes,
                     Simd::MulAdd(c, h[v], d[v] * u), part);
      }
    });
  }

  template <int kVectors, bool kPart>
  static void BackwardBlock(const BackwardCall& call, int64_t image,
                            int64_t channel, int part) {
    static_assert(!kPart || kVectors == 1);
    RecordStates<kVectors, kPart>(call, image, channel, part);
    Accumulate<kVectors, kPart>(call, image, channel, part);
  }

  // The first pass: the forward scan, leaving one record a vector and step.
  template <int kVectors, bool kPart>
  static void RecordStates(const BackwardCall& call, int64_t image,
                           int64_t channel, int part) {
    const ScanInputs& in = call.in;
    const float* u_at = in.u.data + image * in.u.image_stride + channel;
    const float* delta_at =
        in.delta.data + image * in.delta.image_stride + channel;
    const float* b_at = in.b.data + image * in.b.image_stride;
    const int64_t u_stride = in.u.token_stride;
    const int64_t delta_stride = in.delta.token_stride;
    const int64_t b_stride = in.b.token_stride;

    Vec a[kVectors], bias[kVectors], h[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      a[v] = Load<kPart>(in.a + channel + v * kLanes, part);
      bias[v] = Load<kPart>(in.delta_bias + channel + v * kLanes, part);
      h[v] = Simd::Set(0.0f);
    }
    Record* record = reinterpret_cast<Record*>(call.scratch);
    ForEachToken(call.order, [&](int64_t token) {
      const Vec b = Simd::Set(b_at[token * b_stride]);
      for (int v = 0; v < kVectors; ++v, ++record) {
        const Vec u = Load<kPart>(u_at + token * u_stride + v * kLanes, part);
        const Vec x =
            Load<kPart>(delta_at + token * delta_stride + v * kLanes, part) +
            bias[v];
        const Vec e = Math::ExpOfNegative(Simd::NegativeAbs(x));
        const Vec delta = Math::SoftplusGivenExp(x, e);
        const Vec decay = Math::ExpOfNegative(delta * a[v]);
        Simd::Store(record->state_before, h[v]);
        Simd::Store(record->decay, decay);
        Simd::Store(record->delta, delta);
        Simd::Store(record->sigmoid, Math::SigmoidGivenExp(x, e));
        h[v] = Simd::MulAdd(decay, h[v], delta * (b * u));
      }
    });
  }

  // The second pass, from the last step to the first. With g_t the gradient by
  // h_t, and P_t = decay_t h_(t-1) so that h_t = P_t + Delta_t b_t u_t:
  //
  //   g_t       = c_t dy_t + decay_(t+1) g_(t+1)
  //   du_t      = d dy_t + g_t Delta_t b_t
  //   dDelta_t  = g_t b_t u_t + a g_t P_t
  //   ddelta_t  = dDelta_t sigmoid(x_t)
  //   db_t      = sum over channels of g_t Delta_t u_t
  //   dc_t      = sum over channels of dy_t h_t
  //   da, dd, ddelta_bias = sums over tokens of Delta_t g_t P_t, dy_t u_t,
  //   ddelta_t
  template <int kVectors, bool kPart>
  static void Accumulate(const BackwardCall& call, int64_t image,
                         int64_t channel, int part) {
    const ScanInputs& in = call.in;
    const ScanGradients& out = call.gradients;
    const float* u_at = in.u.data + image * in.u.image_stride + channel;
    const float* b_at = in.b.data + image * in.b.image_stride;
    const float* c_at = in.c.data + image * in.c.image_stride;
    const float* dy_at = call.dy.data + image * call.dy.image_stride + channel;
    float* du_at = out.du.data + image * out.du.image_stride + channel;
    float* ddelta_at =
        out.ddelta.data + image * out.ddelta.image_stride + channel;
    float* db_at = out.db.data + image * out.db.image_stride;
    float* dc_at = out.dc.data + image * out.dc.image_stride;
    const int64_t u_stride = in.u.token_stride;
    const int64_t b_stride = in.b.token_stride;
    const int64_t c_stride = in.c.token_stride;
    const int64_t dy_stride = call.dy.token_stride;

    Vec a[kVectors], d[kVectors];
    Vec da[kVectors], dd[kVectors], dbias[kVectors], carry[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      a[v] = Load<kPart>(in.a + channel + v * kLanes, part);
      d[v] = Load<kPart>(in.d + channel + v * kLanes, part);
      da[v] = dd[v] = dbias[v] = carry[v] = Simd::Set(0.0f);
    }
    const int64_t tokens = call.order.outer_count * call.order.inner_count;
    const Record* records =
        reinterpret_cast<const Record*>(call.scratch) + tokens * kVectors;
    ForEachToken(call.reversed, [&](int64_t token) {
      records -= kVectors;
      const Vec b = Simd::Set(b_at[token * b_stride]);
      const Vec c = Simd::Set(c_at[token * c_stride]);
      Vec db = Simd::Set(0.0f), dc = Simd::Set(0.0f);
      for (int v = 0; v < kVectors; ++v) {
        const Record& record = records[v];
        const Vec u = Load<kPart>(u_at + token * u_stride + v * kLanes, part);
        const Vec dy =
            Load<kPart>(dy_at + token * dy_stride + v * kLanes, part);
        const Vec state_before = Simd::Load(record.state_before);
        const Vec decay = Simd::Load(record.decay);
        const Vec delta = Simd::Load(record.delta);

        const Vec g = Simd::MulAdd(c, dy, carry[v]);
        carry[v] = g * decay;
        const Vec gp = carry[v] * state_before;
        const Vec g_delta = g * delta;
        const Vec bu = b * u;
        const Vec ddelta =
            Simd::MulAdd(g, bu, a[v] * gp) * Simd::Load(record.sigmoid);
        Store<kPart>(du_at + token * out.du.token_stride + v * kLanes,
                     Simd::MulAdd(g_delta, b, d[v] * dy), part);
        Store<kPart>(ddelta_at + token * out.ddelta.token_stride + v * kLanes,
                     ddelta, part);
        const Vec h = Simd::MulAdd(decay, state_before, delta * bu);
        db = Simd::MulAdd(g_delta, u, db);
        dc = Simd::MulAdd(dy, h, dc);
        da[v] = Simd::MulAdd(delta, gp, da[v]);
        dd[v] = Simd::MulAdd(dy, u, dd[v]);
        dbias[v] = dbias[v] + ddelta;
      }
      float& db_sum = db_at[token * out.db.token_stride];
      float& dc_sum = dc_at[token * out.dc.token_stride];
      db_sum = (channel == 0 ? 0 : db_sum) + Simd::Sum(db);
      dc_sum = (channel == 0 ? 0 : dc_sum) + Simd::Sum(dc);
    });
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = channel + v * kLanes;
      AddTo<kPart>(out.da + at, da[v], part);
      AddTo<kPart>(out.dd + at, dd[v], part);
      AddTo<kPart>(out.ddelta_bias + at, dbias[v], part);
    }
  }

  template <bool kPart>
  static void AddTo(float* to, Vec x, int part) {
    Store<kPart>(to, Load<kPart>(to, part) + x, part);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SELECTIVE_SCAN_BODY_H_
