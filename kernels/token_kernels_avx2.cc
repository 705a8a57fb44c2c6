// The token-wise kernels for AVX2 and FMA; kernels/CMakeLists.txt gives this
// file its flags.
#include "kernels/simd_avx2.h"
#include "kernels/token_depthwise.h"
#include "kernels/token_depthwise_backward.h"
#include "kernels/token_elementwise.h"
#include "kernels/token_norm.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

const TokenVariant kTokenAvx2 = {
    &TokenNorm<SimdAvx2>::Plain,
    &TokenNorm<SimdAvx2>::Modulated,
    &TokenNorm<SimdAvx2>::Gated,
    &TokenElementwise<SimdAvx2>::ColumnSums,
    &TokenDepthwise<SimdAvx2>::Run,
    &TokenDepthwiseBackward<SimdAvx2>::Run,
    &TokenElementwise<SimdAvx2>::Activate,
    &TokenElementwise<SimdAvx2>::ScaleChannels,
    &TokenElementwise<SimdAvx2>::Add,
};

}  // namespace groupmamba::kernels
