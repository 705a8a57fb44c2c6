// The selective scan for AVX2 and FMA; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/scan_backward.h"
#include "kernels/scan_forward.h"
#include "kernels/scan_variant.h"
#include "kernels/simd_avx2.h"

namespace groupmamba::kernels {

const ScanVariant kScanAvx2 = {&ScanForward<SimdAvx2>,
                               &ScanBackward<SimdAvx2>::Run,
                               ScanBackward<SimdAvx2>::kScratchBytesPerToken};

}  // namespace groupmamba::kernels
