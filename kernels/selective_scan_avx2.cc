// The selective scan for AVX2 and FMA; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/scan_variant.h"
#include "kernels/selective_scan_body.h"
#include "kernels/simd_avx2.h"

namespace groupmamba::kernels {

const ScanVariant kScanAvx2 = ScanBody<SimdAvx2>::kVariant;

}  // namespace groupmamba::kernels
