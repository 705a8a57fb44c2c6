// The functions that the kernels need beyond the arithmetic units: one set for
// bf16 storage, a few operations each, and one that keeps fp32's accuracy.

#ifndef GROUPMAMBA_KERNELS_CUDA_MATH_H_
#define GROUPMAMBA_KERNELS_CUDA_MATH_H_

#include "kernels/cuda/context.h"

namespace groupmamba::cuda {

inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

// Relative error about that of bf16, at most 2^-11 of the larger of 1 and |x|.
struct FastMath {
  template <class Ctx>
  static GM_DEVICE float Silu(const Ctx& ctx, float x) {
    const float half = 0.5f * x;
    return half * ctx.Tanh(half) + half;
  }
  template <class Ctx>
  static GM_DEVICE float Sigmoid(const Ctx& ctx, float x) {
    return 0.5f * ctx.Tanh(0.5f * x) + 0.5f;
  }

  // log2(1 + e^x): softplus in units of ln 2, so that exp(softplus a) is
  // 2^(a Softplus2).
  template <class Ctx>
  static GM_DEVICE float Softplus2(const Ctx& ctx, float x) {
    const float t = ctx.Exp2(x * kLog2E);
    // Log2 has an absolute error near 1, so small t go by the series.
    const float small = t * (1 - t * (0.5f - t * 0.33333333f)) * kLog2E;
    const float large = x > 20 ? x * kLog2E : ctx.Log2(1 + t);
    return t < 0.015625f ? small : large;
  }
};

// Relative error of a few 2^-22.
struct PreciseMath {
  template <class Ctx>
  static GM_DEVICE float Silu(const Ctx& ctx, float x) {
    return x * ctx.Reciprocal(1 + ctx.Exp2(-x * kLog2E));
  }

  template <class Ctx>
  static GM_DEVICE float Sigmoid(const Ctx& ctx, float x) {
    return ctx.Reciprocal(1 + ctx.Exp2(-x * kLog2E));
  }

  // max(x, 0) + log1p(t) with t = e^-|x|; log1p(t) = 2 artanh(t / (2 + t)),
  // whose argument is at most 1/3.
  template <class Ctx>
  static GM_DEVICE float Softplus2(const Ctx& ctx, float x) {
    const float t = ctx.Exp2((x < 0 ? x : -x) * kLog2E);
    const float s = t * ctx.Reciprocal(2 + t);
    const float q = s * s;
    float series = 1.0f / 15;
    series = series * q + 1.0f / 13;
    series = series * q + 1.0f / 11;
    series = series * q + 1.0f / 9;
    series = series * q + 1.0f / 7;
    series = series * q + 1.0f / 5;
    series = series * q + 1.0f / 3;
    series = series * q + 1.0f;
    return (2 * s * series + (x > 0 ? x : 0.0f)) * kLog2E;
  }
};

// The slope of silu, x sigmoid(x), where the sigmoid is known.
GM_DEVICE float SiluSlope(float x, float sigmoid) {
  return sigmoid * (1 + x * (1 - sigmoid));
}

// The slope of softplus where softplus is `value` ln 2: 1 - e^-softplus. Small
// ones by the series, since the difference would lose their digits.
template <class Ctx>
GM_DEVICE float SoftplusSlope(const Ctx& ctx, float value) {
  const float x = value * kLn2;
  float series = 1.0f / 5040;
  series = 1.0f / 720 - x * series;
  series = 1.0f / 120 - x * series;
  series = 1.0f / 24 - x * series;
  series = 1.0f / 6 - x * series;
  series = 0.5f - x * series;
  series = x * (1 - x * series);
  return x < 0.5f ? series : 1 - ctx.Exp2(-value);
}

template <class T>
struct MathOf;
template <>
struct MathOf<float> {
  using Type = PreciseMath;
};
template <>
struct MathOf<Bf16> {
  using Type = FastMath;
};

// x Phi(x), with erf by Abramowitz and Stegun's 7.1.26: absolute error of erf
// 1.5e-7.
template <class Ctx>
GM_DEVICE float Gelu(const Ctx& ctx, float x) {
  const float z = (x < 0 ? -x : x) * 0.70710678f;
  const float t = ctx.Reciprocal(1 + 0.3275911f * z);
  float poly = 1.061405429f;
  poly = poly * t - 1.453152027f;
  poly = poly * t + 1.421413741f;
  poly = poly * t - 0.284496736f;
  poly = poly * t + 0.254829592f;
  // 1 - erf(|x| / sqrt 2)
  const float tail = poly * t * ctx.Exp2(-z * z * kLog2E);
  const float half_tail = 0.5f * tail * x;
  return x < 0 ? half_tail : x - half_tail;
}

}  // namespace groupmamba::cuda

#endif  // GROUPMAMBA_KERNELS_CUDA_MATH_H_
