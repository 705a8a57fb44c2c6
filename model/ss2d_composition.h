// The SS2D core and the scan as anybody would write them with LibTorch's
// operators, for its autograd: copies of the picture turned and flipped for
// each direction, and the scan in two levels, line by line. In any floating
// type, on any device: the yardstick of our kernels, and what runs where there
// are none.

#ifndef GROUPMAMBA_MODEL_SS2D_COMPOSITION_H_
#define GROUPMAMBA_MODEL_SS2D_COMPOSITION_H_

#include "ATen/core/Tensor.h"
#include "model/scan_op.h"
#include "model/ss2d_op.h"

namespace groupmamba {

// The arguments of Ss2dCore.
at::Tensor Ss2dComposition(const at::Tensor& xz,
                           const Ss2dParameters& parameters, Grid grid,
                           kernels::Direction direction, double epsilon);

// Those of SelectiveScan.
at::Tensor ScanComposition(const ScanOperands& operands, Grid grid,
                           kernels::Direction direction);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SS2D_COMPOSITION_H_
