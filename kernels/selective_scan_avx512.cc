// The selective scan for AVX-512F; kernels/CMakeLists.txt gives this file its
// flags.
#include "kernels/scan_backward.h"
#include "kernels/scan_forward.h"
#include "kernels/scan_variant.h"
#include "kernels/simd_avx512.h"

namespace groupmamba::kernels {

const ScanVariant kScanAvx512 = {
    &ScanForward<SimdAvx512>, &ScanBackward<SimdAvx512>::Run,
    ScanBackward<SimdAvx512>::kScratchBytesPerToken};

}  // namespace groupmamba::kernels
