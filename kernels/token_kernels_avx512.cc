// The token-wise kernels for AVX-512F; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/simd_avx512.h"
#include "kernels/token_depthwise.h"
#include "kernels/token_depthwise_backward.h"
#include "kernels/token_elementwise.h"
#include "kernels/token_norm.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

const TokenVariant kTokenAvx512 = {
    &TokenNorm<SimdAvx512>::Plain,
    &TokenNorm<SimdAvx512>::Modulated,
    &TokenNorm<SimdAvx512>::Gated,
    &TokenElementwise<SimdAvx512>::ColumnSums,
    &TokenDepthwise<SimdAvx512>::Run,
    &TokenDepthwiseBackward<SimdAvx512>::Run,
    &TokenElementwise<SimdAvx512>::Activate,
    &TokenElementwise<SimdAvx512>::ScaleChannels,
    &TokenElementwise<SimdAvx512>::Add,
};

}  // namespace groupmamba::kernels
