// The matrix product for AVX-512F; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_avx512.h"

namespace groupmamba::kernels {
namespace {

using Tiles = MatmulTiles<SimdAvx512, /*kTileRows=*/12>;

}  // namespace

const MatmulVariant kMatmulAvx512 = {&Tiles::Multiply, Tiles::kPanel};

}  // namespace groupmamba::kernels
