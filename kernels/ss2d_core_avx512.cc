// The SS2D core for AVX-512F; kernels/CMakeLists.txt gives this
// file its flags.
#include "kernels/simd_avx512.h"
#include "kernels/ss2d_backward.h"
#include "kernels/ss2d_forward.h"
#include "kernels/ss2d_variant.h"

namespace groupmamba::kernels {

const BasicSs2dVariant<float> kSs2dAvx512 = {
    &Ss2dForward<SimdAvx512>::Run, &Ss2dBackward<SimdAvx512>::Run,
    &Ss2dForward<SimdAvx512>::Scratch, &Ss2dBackward<SimdAvx512>::Scratch,
    SimdAvx512::kLanes};

}  // namespace groupmamba::kernels
