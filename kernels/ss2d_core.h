// The SS2D core on the processor, for training: everything between in_proj and
// out_proj of one channel group in one direction, forward and backward, a
// picture a call. Plain pointers and strides.
//
// For a group of d channels, its tokens t in the order of the direction, and
// x, z the two halves of in_proj's output xz [token][2 d]:
//
//   u          = silu(depthwise3x3(x))
//   r, b, c    = u W_x
//   Delta_t    = softplus(r_t W_dt + bias)
//   h_t        = exp(Delta_t a) h_(t-1) + Delta_t b_t u_t    h_(-1) = 0
//   out        = layer_norm(c_t h_t + d u_t) * silu(z_t)     a = -exp(A_logs)
//
// (model/ss2d.h; the scan is kernels/selective_scan.h's.)
//
// The backward core needs xz, and h before every 32nd step, which costs a
// 64th of xz; all else it computes again.
//
// fp32, for every instruction set; or double, portable and slow, for
// derivatives by differences.
//
// Thread-safety: immutable once made; calls with scratch and outputs of their
// own may run at once. A picture's results depend on nothing but the picture,
// to the bit.

#ifndef GROUPMAMBA_KERNELS_SS2D_CORE_H_
#define GROUPMAMBA_KERNELS_SS2D_CORE_H_

#include <cstdint>
#include <vector>

#include "kernels/isa.h"
#include "kernels/ss2d_types.h"
#include "kernels/ss2d_variant.h"
#include "kernels/token_types.h"

namespace groupmamba::kernels {

// Scalar is float or double.
template <class Scalar>
class Ss2dCore {
 public:
  // Copies the parameters. `isa` must be in SupportedIsas(); doubles ignore it.
  // `epsilon` is out_norm's.
  Ss2dCore(Isa isa, const Ss2dShape& shape, Scalar epsilon,
           const Ss2dTensors<const Scalar>& parameters);

  // Scalars that a picture needs, of: the states that Forward leaves for
  // Backward, the gradients that Backward leaves for SumGradients, and scratch
  // memory, aligned to 64 bytes, one for each call that runs at a time. With
  // channels rounded up to whole vectors, P: tokens * P forward and twice as
  // many backward, and less than 256 * (P + R) more.
  static int64_t StateCount(const Ss2dShape& shape);
  int64_t gradient_count() const;
  int64_t forward_scratch() const;
  int64_t backward_scratch() const;

  // xz: [token][2 d]; out: [token][d]. `states` may be null: not wanted.
  void Forward(const BasicConstTokens<Scalar>& xz,
               const BasicTokens<Scalar>& out, Scalar* states,
               Scalar* scratch) const;

  // dxz: [token][2 d], overwritten like `gradients`, the picture's share of the
  // gradients by the parameters.
  void Backward(const BasicConstTokens<Scalar>& xz, const Scalar* states,
                const BasicConstTokens<Scalar>& dout,
                const BasicTokens<Scalar>& dxz, Scalar* gradients,
                Scalar* scratch) const;

  // Overwrites `sums` with the sums of `pictures` such shares, which follow
  // each other in memory, in their order.
  void SumGradients(const Scalar* gradients, int64_t pictures,
                    const Ss2dTensors<Scalar>& sums) const;

 private:
  Ss2dJob<Scalar> Job() const;

  const BasicSs2dVariant<Scalar>* const variant_;
  const Ss2dShape shape_;
  const int64_t padded_;
  const Scalar epsilon_;
  std::vector<Scalar> rows_;  // Ss2dRows
};

}  // namespace groupmamba::kernels

#endif  // GROUPMAMBA_KERNELS_SS2D_CORE_H_
