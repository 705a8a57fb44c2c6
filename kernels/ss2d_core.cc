// Chooses the implementation of the SS2D core, and packs parameters into the
// rows that it reads.
#include "kernels/ss2d_core.h"

#include <cassert>
#include <cmath>
#include <type_traits>

#include "absl/algorithm/container.h"
#include "kernels/token_order.h"

namespace groupmamba::kernels {
namespace {

template <class Scalar>
const BasicSs2dVariant<Scalar>* VariantOf(Isa isa) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return &kSs2dDouble;
  } else {
    assert(absl::c_linear_search(SupportedIsas(), isa));
    switch (isa) {
#ifdef GROUPMAMBA_X86_KERNELS
      case Isa::kAvx2:
        return &kSs2dAvx2;
      case Isa::kAvx512:
      case Isa::kAvx512Bf16:
        return &kSs2dAvx512;
#endif
      default:
        return &kSs2dPortable;
    }
  }
}

int64_t RoundUp(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

// Calls copy(row, tensor, its element of channel 0, elements from channel to
// channel) for every row of Ss2dRows that is an element of a tensor.
template <class T, class Copy>
void ForEachRow(const Ss2dShape& shape, const Ss2dTensors<T>& tensors,
                Copy copy) {
  for (int64_t tap = 0; tap < 9; ++tap) {
    copy(Ss2dRows::kConvolution + tap, tensors.convolution_weight + tap, 9);
  }
  copy(Ss2dRows::kConvolutionBias, tensors.convolution_bias, 1);
  copy(Ss2dRows::kDeltaBias, tensors.dt_projs_bias, 1);
  copy(Ss2dRows::kA, tensors.a_logs, 1);
  copy(Ss2dRows::kD, tensors.ds, 1);
  copy(Ss2dRows::kNormWeight, tensors.out_norm_weight, 1);
  copy(Ss2dRows::kNormBias, tensors.out_norm_bias, 1);
  const int64_t rates = shape.rank + 2;
  for (int64_t n = 0; n < rates; ++n) {
    copy(Ss2dRows::kProjection + n, tensors.x_proj_weight + n * shape.channels,
         1);
  }
  for (int64_t r = 0; r < shape.rank; ++r) {
    copy(Ss2dRows::kProjection + rates + r, tensors.dt_projs_weight + r,
         shape.rank);
  }
}

int64_t GradientRows(const Ss2dShape& shape) {
  return Ss2dRows::kProjection + 2 * shape.rank + 2;
}

}  // namespace

template <class Scalar>
Ss2dCore<Scalar>::Ss2dCore(Isa isa, const Ss2dShape& shape, Scalar epsilon,
                           const Ss2dTensors<const Scalar>& parameters)
    : variant_(VariantOf<Scalar>(isa)),
      shape_(shape),
      padded_(RoundUp(shape.channels, variant_->lanes)),
      epsilon_(epsilon),
      rows_((GradientRows(shape) + 10) * padded_) {
  ForEachRow(shape, parameters,
             [&](int64_t row, const Scalar* from, int64_t step) {
               for (int64_t c = 0; c < shape.channels; ++c) {
                 rows_[row * padded_ + c] = from[c * step];
               }
             });
  for (int64_t c = 0; c < shape.channels; ++c) {
    Scalar& a = rows_[Ss2dRows::kA * padded_ + c];
    a = -std::exp(a);
    for (int64_t tap = 0; tap < 9; ++tap) {
      rows_[(GradientRows(shape) + tap) * padded_ + c] =
          rows_[(Ss2dRows::kConvolution + 8 - tap) * padded_ + c];
    }
  }
}

template <class Scalar>
int64_t Ss2dCore<Scalar>::StateCount(const Ss2dShape& shape) {
  return RoundUp(shape.height * shape.width, kSs2dChunk) / kSs2dChunk *
         shape.channels;
}

template <class Scalar>
int64_t Ss2dCore<Scalar>::gradient_count() const {
  return GradientRows(shape_) * padded_;
}

template <class Scalar>
int64_t Ss2dCore<Scalar>::forward_scratch() const {
  return variant_->forward_scratch(Job());
}

template <class Scalar>
int64_t Ss2dCore<Scalar>::backward_scratch() const {
  return variant_->backward_scratch(Job());
}

template <class Scalar>
Ss2dJob<Scalar> Ss2dCore<Scalar>::Job() const {
  const int64_t tokens = shape_.height * shape_.width;
  Ss2dJob<Scalar> job = {
      .height = shape_.height,
      .width = shape_.width,
      .channels = shape_.channels,
      .padded = padded_,
      .rank = shape_.rank,
      .order = OrderOf(shape_.height, shape_.width, shape_.direction),
      .first_step = 0,
      .row_step = shape_.width,
      .column_step = 1,
      .rows = rows_.data(),
      .epsilon = epsilon_};
  if (shape_.direction == Direction::kTopBottom ||
      shape_.direction == Direction::kBottomTop) {
    job.row_step = 1;
    job.column_step = shape_.height;
  }
  if (shape_.direction == Direction::kRightLeft ||
      shape_.direction == Direction::kBottomTop) {
    job.first_step = tokens - 1;
    job.row_step = -job.row_step;
    job.column_step = -job.column_step;
  }
  return job;
}

template <class Scalar>
void Ss2dCore<Scalar>::Forward(const BasicConstTokens<Scalar>& xz,
                               const BasicTokens<Scalar>& out, Scalar* states,
                               Scalar* scratch) const {
  variant_->forward(Job(), xz, out, states, scratch);
}

template <class Scalar>
void Ss2dCore<Scalar>::Backward(const BasicConstTokens<Scalar>& xz,
                                const Scalar* states,
                                const BasicConstTokens<Scalar>& dout,
                                const BasicTokens<Scalar>& dxz,
                                Scalar* gradients, Scalar* scratch) const {
  variant_->backward(Job(), xz, states, dout, dxz, gradients, scratch);
}

template <class Scalar>
void Ss2dCore<Scalar>::SumGradients(const Scalar* gradients, int64_t pictures,
                                    const Ss2dTensors<Scalar>& sums) const {
  ForEachRow(shape_, sums, [&](int64_t row, Scalar* to, int64_t step) {
    for (int64_t c = 0; c < shape_.channels; ++c) {
      const int64_t at = row * padded_ + c;
      Scalar sum = 0;
      for (int64_t n = 0; n < pictures; ++n) {
        sum += gradients[n * gradient_count() + at];
      }
      // a = -exp(A_logs) is its own derivative.
      to[c * step] = row == Ss2dRows::kA ? sum * rows_[at] : sum;
    }
  });
}

template class Ss2dCore<float>;
template class Ss2dCore<double>;

}  // namespace groupmamba::kernels
