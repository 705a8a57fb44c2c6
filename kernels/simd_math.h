// exp, softplus, SiLU and GELU over any of the SIMD wrappers (simd_*.h), within
// a few units in the last place, without tables, branches or library calls.
//
// The polynomials are minimax in relative error (Remez exchange, the leading
// coefficients fixed); their own error is given beside each, and is well below
// the 6e-8 that one fp32 rounding costs.

#ifndef GROUPMAMBA_KERNELS_SIMD_MATH_H_
#define GROUPMAMBA_KERNELS_SIMD_MATH_H_

namespace groupmamba::kernels {

template <class Simd>
struct SimdMath {
  using Vec = typename Simd::Vec;

  // e^x for x <= 0; at least e^-87, about 1.6e-38, so that no result is
  // subnormal.
  //
  // e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2. Adding 1.5 2^23
  // rounds to an integer and leaves it in the low bits. ln 2 is split so that
  // n times its upper part is exact (Cody and Waite).
  static Vec ExpOfNegative(Vec x) {
    const Vec magic = Simd::Set(12582912.0f);
    x = Simd::Max(-87.0f, x);
    const Vec shifted = Simd::MulAdd(x, Simd::Set(1.44269504f), magic);
    const Vec n = shifted - magic;
    Vec r = Simd::MulAdd(n, Simd::Set(-0.693359375f), x);
    r = Simd::MulAdd(n, Simd::Set(2.12194440e-4f), r);
    // Relative error 3.1e-9.
    const Vec r2 = r * r;
    const Vec high = Simd::MulAdd(
        Simd::Set(0.00138145406f), r2,
        Simd::MulAdd(Simd::Set(0.00836874545f), r, Simd::Set(0.041668389f)));
    const Vec low =
        Simd::MulAdd(Simd::Set(0.166665211f), r, Simd::Set(0.49999994f));
    const Vec p =
        Simd::MulAdd(Simd::MulAdd(high, r2, low), r2, r + Simd::Set(1.0f));
    return Simd::AddExponent(p, shifted);
  }

  // softplus(x) = log(1 + e^x) = max(x, 0) + log1p(e^-|x|), given e^-|x|. Never
  // overflows, and keeps its relative accuracy for very negative x.
  //
  // log1p(e) = 2 atanh(s) with s = e / (2 + e), at most 1/3, so that no range
  // reduction is needed.
  static Vec SoftplusGivenExp(Vec x, Vec exp_of_minus_abs) {
    const Vec s = exp_of_minus_abs / (exp_of_minus_abs + Simd::Set(2.0f));
    const Vec s2 = s * s;
    // Relative error 7.4e-9.
    Vec p = Simd::Set(0.281746566f);
    p = Simd::MulAdd(p, s2, Simd::Set(0.279802531f));
    p = Simd::MulAdd(p, s2, Simd::Set(0.400217265f));
    p = Simd::MulAdd(p, s2, Simd::Set(0.666664481f));
    p = Simd::MulAdd(p, s2, Simd::Set(2.0f));
    return Simd::MulAdd(p, s, Simd::Max(0.0f, x));
  }

  static Vec Softplus(Vec x) {
    return SoftplusGivenExp(x, ExpOfNegative(Simd::NegativeAbs(x)));
  }

  // The derivative of softplus, 1 / (1 + e^-x), given e^-|x|.
  static Vec SigmoidGivenExp(Vec x, Vec exp_of_minus_abs) {
    const Vec one = Simd::Set(1.0f);
    return Simd::IfNegative(x, exp_of_minus_abs, one) /
           (one + exp_of_minus_abs);
  }

  // x / (1 + e^-x). Never overflows.
  static Vec Silu(Vec x) {
    return x * SigmoidGivenExp(x, ExpOfNegative(Simd::NegativeAbs(x)));
  }

  // silu(x) and its derivative, sigmoid(x) (1 + x (1 - sigmoid(x))).
  struct ValueAndSlope {
    Vec value;
    Vec slope;
  };
  static ValueAndSlope SiluAndSlope(Vec x) {
    const Vec sigmoid = SigmoidGivenExp(x, ExpOfNegative(Simd::NegativeAbs(x)));
    const Vec value = x * sigmoid;
    return {value, Simd::MulAdd(value, Simd::Set(1.0f) - sigmoid, sigmoid)};
  }

  // x Phi(x) = x (1 + erf(x / sqrt 2)) / 2, as max(x, 0) - |x| Phi(-|x|): what
  // is small is computed as such and does not cancel. The eighth root of
  // Phi(-|x|) is close to a short polynomial; three squarings undo it. From
  // |x| = 6 on the second term stays at its value there, 6e-9.
  //
  // Absolute error 1.6e-7 max(1, |x|); relative error 1.4e-6 down to x = -3,
  // 1.1e-5 down to -4; with two roundings in MulAdd a little more.
  static Vec Gelu(Vec x) {
    const Vec s = Simd::Max(-6.0f, Simd::NegativeAbs(x));
    return Simd::MulAdd(s, NormalCdf(s), Simd::Max(0.0f, x));
  }

  // Its derivative, Phi(x) + x phi(x), beyond |x| = 6 that of 6. Absolute error
  // 4e-7.
  static Vec GeluSlope(Vec x) {
    const Vec s = Simd::Max(-6.0f, Simd::NegativeAbs(x));
    const Vec below = NormalCdf(s);
    const Vec density =
        Simd::Set(0.398942280f) * ExpOfNegative(Simd::Set(-0.5f) * s * s);
    const Vec product = s * density;
    return Simd::IfNegative(x, below + product,
                            Simd::Set(1.0f) - below - product);
  }

 private:
  // Phi(s) for s in [-6, 0], minimax in the error of s Phi(s), relative where
  // that is above 0.01 and else to 0.01: 1.2e-7.
  static Vec NormalCdf(Vec s) {
    Vec p = Simd::Set(-3.0436135e-7f);
    p = Simd::MulAdd(p, s, Simd::Set(-7.60401053e-6f));
    p = Simd::MulAdd(p, s, Simd::Set(-6.09850067e-5f));
    p = Simd::MulAdd(p, s, Simd::Set(-3.64539228e-5f));
    p = Simd::MulAdd(p, s, Simd::Set(0.00150093914f));
    p = Simd::MulAdd(p, s, Simd::Set(0.000669198984f));
    p = Simd::MulAdd(p, s, Simd::Set(-0.0319289826f));
    p = Simd::MulAdd(p, s, Simd::Set(0.0914574042f));
    p = Simd::MulAdd(p, s, Simd::Set(0.917004049f));
    p = p * p;
    p = p * p;
    p = p * p;
    return p;
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SIMD_MATH_H_
