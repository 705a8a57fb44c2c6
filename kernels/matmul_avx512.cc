// The matrix product for AVX-512F; kernels/CMakeLists.txt gives this file
// its flags.
#include "kernels/matmul_pairs.h"
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_avx512.h"

namespace groupmamba::kernels {
namespace {

constexpr int kTileRows = 12;
using Tiles = MatmulTiles<SimdAvx512, kTileRows>;
using Pairs = MatmulPairs<SimdAvx512, EmulatedDot<SimdAvx512>, kTileRows>;

}  // namespace

const MatmulVariant kMatmulAvx512 = {&Tiles::Multiply, &Pairs::Multiply,
                                     Tiles::kPanel};

}  // namespace groupmamba::kernels
