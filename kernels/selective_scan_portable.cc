// The selective scan for any processor; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/scan_backward.h"
#include "kernels/scan_forward.h"
#include "kernels/scan_variant.h"
#include "kernels/simd_portable.h"

namespace groupmamba::kernels {

const ScanVariant kScanPortable = {
    &ScanForward<SimdPortable>, &ScanBackward<SimdPortable>::Run,
    ScanBackward<SimdPortable>::kScratchBytesPerToken};

}  // namespace groupmamba::kernels
