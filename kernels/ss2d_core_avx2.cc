// The SS2D core for AVX2 and FMA; kernels/CMakeLists.txt gives this
// file its flags.
#include "kernels/simd_avx2.h"
#include "kernels/ss2d_backward.h"
#include "kernels/ss2d_forward.h"
#include "kernels/ss2d_variant.h"

namespace groupmamba::kernels {

const BasicSs2dVariant<float> kSs2dAvx2 = {
    &Ss2dForward<SimdAvx2>::Run, &Ss2dBackward<SimdAvx2>::Run,
    &Ss2dForward<SimdAvx2>::Scratch, &Ss2dBackward<SimdAvx2>::Scratch,
    SimdAvx2::kLanes};

}  // namespace groupmamba::kernels
