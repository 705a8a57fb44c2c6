// The SS2D core for doubles, on any processor.
#include "kernels/simd_double.h"
#include "kernels/ss2d_backward.h"
#include "kernels/ss2d_forward.h"
#include "kernels/ss2d_variant.h"

namespace groupmamba::kernels {

const BasicSs2dVariant<double> kSs2dDouble = {
    &Ss2dForward<SimdDouble>::Run, &Ss2dBackward<SimdDouble>::Run,
    &Ss2dForward<SimdDouble>::Scratch, &Ss2dBackward<SimdDouble>::Scratch,
    SimdDouble::kLanes};

}  // namespace groupmamba::kernels
