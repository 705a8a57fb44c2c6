// The matrix product for AVX2 and FMA; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_avx2.h"

namespace groupmamba::kernels {
namespace {

using Tiles = MatmulTiles<SimdAvx2, /*kTileRows=*/6>;

}  // namespace

const MatmulVariant kMatmulAvx2 = {&Tiles::Multiply, Tiles::kPanel};

}  // namespace groupmamba::kernels
