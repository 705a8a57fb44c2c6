// The matrix product for any processor.
#include "kernels/matmul_pairs.h"
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_portable.h"

namespace groupmamba::kernels {
namespace {

constexpr int kTileRows = 6;
using Tiles = MatmulTiles<SimdPortable, kTileRows>;
using Pairs = MatmulPairs<SimdPortable, EmulatedDot<SimdPortable>, kTileRows>;

}  // namespace

const MatmulVariant kMatmulPortable = {&Tiles::Multiply, &Pairs::Multiply,
                                       Tiles::kPanel};

}  // namespace groupmamba::kernels
