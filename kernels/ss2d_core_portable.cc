// The SS2D core for any processor; kernels/CMakeLists.txt gives this
// file its flags.
#include "kernels/simd_portable.h"
#include "kernels/ss2d_backward.h"
#include "kernels/ss2d_forward.h"
#include "kernels/ss2d_variant.h"

namespace groupmamba::kernels {

const BasicSs2dVariant<float> kSs2dPortable = {
    &Ss2dForward<SimdPortable>::Run, &Ss2dBackward<SimdPortable>::Run,
    &Ss2dForward<SimdPortable>::Scratch, &Ss2dBackward<SimdPortable>::Scratch,
    SimdPortable::kLanes};

}  // namespace groupmamba::kernels
