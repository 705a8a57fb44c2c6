// The matrix product for AVX2 and FMA; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/matmul_pairs.h"
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_avx2.h"

namespace groupmamba::kernels {
namespace {

constexpr int kTileRows = 6;
using Tiles = MatmulTiles<SimdAvx2, kTileRows>;
using Pairs = MatmulPairs<SimdAvx2, EmulatedDot<SimdAvx2>, kTileRows>;

}  // namespace

const MatmulVariant kMatmulAvx2 = {&Tiles::Multiply, &Pairs::Multiply,
                                   Tiles::kPanel};

}  // namespace groupmamba::kernels
