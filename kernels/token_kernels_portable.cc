// The token-wise kernels for any processor; kernels/CMakeLists.txt gives this
// file its flags.
#include "kernels/simd_portable.h"
#include "kernels/token_depthwise.h"
#include "kernels/token_depthwise_backward.h"
#include "kernels/token_elementwise.h"
#include "kernels/token_norm.h"
#include "kernels/token_variant.h"

namespace groupmamba::kernels {

const TokenVariant kTokenPortable = {
    &TokenNorm<SimdPortable>::Plain,
    &TokenNorm<SimdPortable>::Modulated,
    &TokenNorm<SimdPortable>::Gated,
    &TokenElementwise<SimdPortable>::ColumnSums,
    &TokenDepthwise<SimdPortable>::Run,
    &TokenDepthwiseBackward<SimdPortable>::Run,
    &TokenElementwise<SimdPortable>::Activate,
    &TokenElementwise<SimdPortable>::ScaleChannels,
    &TokenElementwise<SimdPortable>::Add,
};

}  // namespace groupmamba::kernels
