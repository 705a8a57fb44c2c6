// The narrow products of the SS2D core over any of the SIMD wrappers: between
// `steps` rows of channels and a few rows of weights, at most ten or so, with
// the channels in vectors. All rows are padded to whole vectors with zeros.
//
// Tiles of four, so that each loaded vector serves four multiply-adds, and
// enough of them are in flight.

#ifndef GROUPMAMBA_KERNELS_SS2D_PRODUCTS_H_
#define GROUPMAMBA_KERNELS_SS2D_PRODUCTS_H_

#include <cstdint>

namespace groupmamba::kernels {

template <class Simd>
struct Ss2dProducts {
  using Scalar = typename Simd::Scalar;
  using Vec = typename Simd::Vec;
  static constexpr int kLanes = Simd::kLanes;

  // x [step][channel], w [row][channel], r [step][row].
  struct Shape {
    int64_t steps;
    int64_t rows;
    int64_t channels;  // whole vectors; between rows of x and of w too
    int64_t r_stride;
  };

  // r = x w^T.
  static void Project(const Shape& shape, const Scalar* x, const Scalar* w,
                      Scalar* r) {
    InFours(shape.steps, [&]<int kSteps>(int64_t step) {
      const Scalar* const from = x + step * shape.channels;
      for (int64_t row = 0; row < shape.rows; ++row) {
        const Scalar* const weight = w + row * shape.channels;
        Vec sum[kSteps] = {};
        for (int64_t c = 0; c < shape.channels; c += kLanes) {
          const Vec by = Simd::Load(weight + c);
          for (int i = 0; i < kSteps; ++i) {
            sum[i] = Simd::MulAdd(Simd::Load(from + i * shape.channels + c), by,
                                  sum[i]);
          }
        }
        for (int i = 0; i < kSteps; ++i) {
          r[(step + i) * shape.r_stride + row] = Simd::Sum(sum[i]);
        }
      }
    });
  }

  // x = r w, or added to x.
  template <bool kAdd>
  static void Expand(const Shape& shape, const Scalar* r, const Scalar* w,
                     Scalar* x) {
    InFours(shape.steps, [&]<int kSteps>(int64_t step) {
      const Scalar* const by = r + step * shape.r_stride;
      Scalar* const to = x + step * shape.channels;
      for (int64_t c = 0; c < shape.channels; c += kLanes) {
        Vec sum[kSteps] = {};
        if constexpr (kAdd) {
          for (int i = 0; i < kSteps; ++i) {
            sum[i] = Simd::Load(to + i * shape.channels + c);
          }
        }
        for (int64_t row = 0; row < shape.rows; ++row) {
          const Vec weight = Simd::Load(w + row * shape.channels + c);
          for (int i = 0; i < kSteps; ++i) {
            sum[i] = Simd::MulAdd(Simd::Set(by[i * shape.r_stride + row]),
                                  weight, sum[i]);
          }
        }
        for (int i = 0; i < kSteps; ++i) {
          Simd::Store(to + i * shape.channels + c, sum[i]);
        }
      }
    });
  }

  // w = w + r^T x.
  static void AddOuter(const Shape& shape, const Scalar* r, const Scalar* x,
                       Scalar* w) {
    InFours(shape.rows, [&]<int kRows>(int64_t row) {
      Scalar* const to = w + row * shape.channels;
      for (int64_t c = 0; c < shape.channels; c += kLanes) {
        Vec sum[kRows] = {};
        const Scalar* by = r + row;
        const Scalar* from = x + c;
        for (int64_t s = 0; s < shape.steps; ++s) {
          const Vec value = Simd::Load(from);
          for (int i = 0; i < kRows; ++i) {
            sum[i] = Simd::MulAdd(Simd::Set(by[i]), value, sum[i]);
          }
          by += shape.r_stride;
          from += shape.channels;
        }
        for (int i = 0; i < kRows; ++i) {
          Scalar* const at = to + i * shape.channels + c;
          Simd::Store(at, Simd::Load(at) + sum[i]);
        }
      }
    });
  }

 private:
  // visit.operator()<4>(i) for each four of `count`, <1> for what is left.
  template <class Visitor>
  [[gnu::always_inline]] static void InFours(int64_t count, Visitor visit) {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) visit.template operator()<4>(i);
    for (; i < count; ++i) visit.template operator()<1>(i);
  }
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_PRODUCTS_H_
