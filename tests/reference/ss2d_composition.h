// The SS2D core as anybody would write it with LibTorch's operators, for its
// autograd: copies of the picture turned and flipped for each direction, and
// the scan in two levels, line by line. In any floating type.

#ifndef GROUPMAMBA_TESTS_REFERENCE_SS2D_COMPOSITION_H_
#define GROUPMAMBA_TESTS_REFERENCE_SS2D_COMPOSITION_H_

#include "ATen/core/Tensor.h"
#include "model/ss2d_op.h"

namespace groupmamba::reference {

// The arguments of groupmamba::Ss2dCore.
at::Tensor Ss2dComposition(const at::Tensor& xz,
                           const Ss2dParameters& parameters, Grid grid,
                           kernels::Direction direction, double epsilon);

// h_j = decay_j h_(j-1) + input_j over [batch, lines, steps, channels], the
// lines one after the other: first all lines side by side, as if each began
// with 0, then the states between lines, then what they add. So it takes
// lines + steps operators one after the other, and not lines * steps.
at::Tensor ChunkedScan(const at::Tensor& decay, const at::Tensor& input);

}  // namespace groupmamba::reference

#endif  // GROUPMAMBA_TESTS_REFERENCE_SS2D_COMPOSITION_H_
