// The matrix product for AVX-512 with its bf16 dot product;
// kernels/CMakeLists.txt gives this file its flags.
#include "kernels/matmul_pairs.h"
#include "kernels/matmul_tiles.h"
#include "kernels/matmul_variant.h"
#include "kernels/simd_avx512.h"

namespace groupmamba::kernels {
namespace {

// The wrapper by another name, so that what this file compiles with its own
// flags is never the linker's choice for the file without them.
struct SimdAvx512Bf16 : SimdAvx512 {};

struct Dot {
  using Element = uint16_t;
  using Columns = __m512i;
  static constexpr int kRoundedAtOnce = 16;

  // The instruction takes subnormal numbers for 0, as the dot product does.
  static void Round(const float* from, int64_t count, uint16_t* to) {
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) Store(SimdAvx512::Load(from + i), to + i);
    if (i < count) {
      const int left = static_cast<int>(count - i);
      Store(SimdAvx512::LoadPart(from + i, left), to + i);
    }
  }
  static void Store(__m512 x, uint16_t* to) {
    const __m256bh rounded = _mm512_cvtneps_pbh(x);
    __builtin_memcpy(to, &rounded, sizeof(rounded));
  }
  static Columns Load(const uint16_t* pairs) {
    return _mm512_loadu_si512(pairs);
  }
  static __m512 Add(const uint16_t* a, const Columns& b, __m512 sum) {
    int32_t pair;
    __builtin_memcpy(&pair, a, sizeof(pair));
    return _mm512_dpbf16_ps(sum,
                            reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair)),
                            reinterpret_cast<__m512bh>(b));
  }
};

constexpr int kTileRows = 12;
using Tiles = MatmulTiles<SimdAvx512Bf16, kTileRows>;
using Pairs = MatmulPairs<SimdAvx512Bf16, Dot, kTileRows>;

}  // namespace

const MatmulVariant kMatmulAvx512Bf16 = {&Tiles::Multiply, &Pairs::Multiply,
                                         Tiles::kPanel};

}  // namespace groupmamba::kernels
