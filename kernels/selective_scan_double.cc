// The selective scan for doubles, on any processor.
#include "kernels/scan_backward.h"
#include "kernels/scan_forward.h"
#include "kernels/scan_variant.h"
#include "kernels/simd_double.h"

namespace groupmamba::kernels {

const BasicScanVariant<double> kScanDouble = {
    &ScanForward<SimdDouble>, &ScanBackward<SimdDouble>::Run,
    ScanBackward<SimdDouble>::kScratchBytesPerToken};

}  // namespace groupmamba::kernels
