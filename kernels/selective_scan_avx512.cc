// The selective scan for AVX-512F; kernels/CMakeLists.txt gives this file its
// flags.
#include "kernels/scan_variant.h"
#include "kernels/selective_scan_body.h"
#include "kernels/simd_avx512.h"

namespace groupmamba::kernels {

const ScanVariant kScanAvx512 = ScanBody<SimdAvx512>::kVariant;

}  // namespace groupmamba::kernels
