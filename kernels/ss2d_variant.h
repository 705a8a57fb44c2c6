// What an implementation of the SS2D core gives to its dispatcher
// (kernels/ss2d_core.cc); internal to kernels/.
//
// No library header here, and nothing inline: kernels/scan_types.h says why.

#ifndef GROUPMAMBA_KERNELS_SS2D_VARIANT_H_
#define GROUPMAMBA_KERNELS_SS2D_VARIANT_H_

#include <cstdint>

#include "kernels/scan_variant.h"
#include "kernels/ss2d_types.h"
#include "kernels/token_types.h"

namespace groupmamba::kernels {

// Steps of the scan that are worked on at once: what they need between the
// phases stays in the first- and second-level cache.
inline constexpr int64_t kSs2dChunk = 32;

// The packed parameters, and the gradients by them, are [row][padded channel],
// the rows in this order, with zeros beyond the channels.
struct Ss2dRows {
  static constexpr int64_t kConvolution = 0;  // 9, tap (row * 3 + column)
  static constexpr int64_t kConvolutionBias = 9;
  static constexpr int64_t kDeltaBias = 10;
  static constexpr int64_t kA = 11;  // -exp(A_logs)
  static constexpr int64_t kD = 12;
  static constexpr int64_t kNormWeight = 13;
  static constexpr int64_t kNormBias = 14;
  static constexpr int64_t kProjection = 15;  // R + 2: r, b, c
  // then R rows, dt_projs' columns; in the parameters then 9, the taps in
  // reverse, and one of zeros.
};

template <class Scalar>
struct Ss2dJob {
  int64_t height;
  int64_t width;
  int64_t channels;
  int64_t padded;  // channels, rounded up to whole vectors
  int64_t rank;
  TokenOrder order;
  // The scan's step at which a token comes:
  // first_step + row * row_step + column * column_step.
  int64_t first_step;
  int64_t row_step;
  int64_t column_step;
  const Scalar* rows;  // the parameters
  Scalar epsilon;
};

template <class Scalar>
struct BasicSs2dVariant {
  using Job = Ss2dJob<Scalar>;

  void (*forward)(const Job& job, const BasicConstTokens<Scalar>& xz,
                  const BasicTokens<Scalar>& out, Scalar* states,
                  Scalar* scratch);
  // `gradients`: rows as above, overwritten.
  void (*backward)(const Job& job, const BasicConstTokens<Scalar>& xz,
                   const Scalar* states, const BasicConstTokens<Scalar>& dout,
                   const BasicTokens<Scalar>& dxz, Scalar* gradients,
                   Scalar* scratch);
  int64_t (*forward_scratch)(const Job& job);
  int64_t (*backward_scratch)(const Job& job);
  int64_t lanes;
};

extern const BasicSs2dVariant<double> kSs2dDouble;
extern const BasicSs2dVariant<float> kSs2dPortable;
extern const BasicSs2dVariant<float> kSs2dAvx2;
extern const BasicSs2dVariant<float> kSs2dAvx512;

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_VARIANT_H_
