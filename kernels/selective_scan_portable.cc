// The selective scan for any processor; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/scan_variant.h"
#include "kernels/selective_scan_body.h"
#include "kernels/simd_portable.h"

namespace groupmamba::kernels {

const ScanVariant kScanPortable = ScanBody<SimdPortable>::kVariant;

}  // namespace groupmamba::kernels
