// The matrix product for any processor.
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_portable.h"

namespace groupmamba::kernels {
namespace {

using Tiles = MatmulTiles<SimdPortable, /*kTileRows=*/6>;

}  // namespace

const MatmulVariant kMatmulPortable = {&Tiles::Multiply, Tiles::kPanel};

}  // namespace groupmamba::kernels
