// The matrix product: every implementation against sums in double precision.
#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/kernels/guarded_tensor.h"
#include "tests/kernels/scan_case.h"

namespace groupmamba::testing {
namespace {

using kernels::Isa;
using kernels::MatmulRange;
using kernels::MatmulRows;
using kernels::MatmulStart;
using kernels::PackedMatrix;
using kernels::Storage;

struct Sizes {
  int64_t m, k, n;
};

// Around the tiles' heights and widths of every implementation, and the shapes
// of the networks.
constexpr Sizes kSizes[] = {
    {1, 1, 1},   {2, 3, 5},   {5, 7, 8},     {6, 4, 16},    {7, 16, 17},
    {11, 9, 31}, {12, 5, 32}, {13, 87, 176}, {25, 64, 33},  {49, 87, 87},
    {1, 448, 7}, {23, 6, 88}, {31, 112, 96}, {64, 348, 40}, {14, 1301, 40},
};

std::vector<float> Random(int64_t count, int seed) {
  const std::vector<double> values = RandomValues(count, -1, 1, seed);
  return {values.begin(), values.end()};
}

constexpr Storage kStorages[] = {Storage::kFp32, Storage::kBf16};

// What the product takes for `x`: itself, or the nearest number of eight
// significant bits, ties to even.
double Rounded(double x, Storage storage) {
  if (storage == Storage::kFp32) return x;
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

class MatmulTest : public ScanTest {
 protected:
  // What the row `row` of A gives: for each column, bias and products in
  // double.
  static std::vector<double> Expected(Storage storage,
                                      const std::vector<float>& row,
                                      const std::vector<float>& weight,
                                      const std::vector<float>& bias) {
    std::vector<double> sums(bias.begin(), bias.end());
    for (size_t n = 0; n < sums.size(); ++n) {
      for (size_t k = 0; k < row.size(); ++k) {
        sums[n] += Rounded(row[k], storage) *
                   Rounded(weight[n * row.size() + k], storage);
      }
    }
    return sums;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, MatmulTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512, Isa::kAvx512Bf16),
                         IsaTestName);

// A and C end before a page that may not be touched, and have gaps of NaN.
TEST_P(MatmulTest, EqualsTheSumsInDoublePrecision) {
  for (const Storage storage : kStorages) {
    for (const Sizes& s : kSizes) {
      SCOPED_TRACE(absl::StrCat(s.m, " x ", s.k, " x ", s.n, " storage ",
                                static_cast<int>(storage)));
      GuardedTensor a(1, s.m, s.k, 3), c(1, s.m, s.n, 2);
      const std::vector<double> values = RandomValues(s.m * s.k, -1, 1, 1);
      a.Fill(values);
      const std::vector<float> weight = Random(s.k * s.n, 2);
      const std::vector<float> bias = Random(s.n, 3);
      const PackedMatrix b(GetParam(), storage, s.k, s.n, weight, bias);
      kernels::Multiply({.data = a.data(), .rows = s.m, .stride = s.k + 3}, b,
                        {}, c.data(), s.n + 2);
      std::vector<double> expected;
      for (int64_t m = 0; m < s.m; ++m) {
        const std::vector<float> row(values.begin() + m * s.k,
                                     values.begin() + (m + 1) * s.k);
        const std::vector<double> sums = Expected(storage, row, weight, bias);
        expected.insert(expected.end(), sums.begin(), sums.end());
      }
      EXPECT_LE(RelativeError(c.ToDense(), expected), 1e-6);
      EXPECT_TRUE(c.GapsAreUntouched());
    }
  }
}

TEST_P(MatmulTest, ARowsBitsDoNotDependOnTheNumberOfRows) {
  for (const Storage storage : kStorages) {
    constexpr int64_t kRows = 40, kK = 87, kN = 50;
    const std::vector<float> a = Random(kRows * kK, 1);
    const PackedMatrix b(GetParam(), storage, kK, kN, Random(kK * kN, 2),
                         Random(kN, 3));
    std::vector<float> whole(kRows * kN), alone(kN);
    Multiply({.data = a.data(), .rows = kRows, .stride = kK}, b, {},
             whole.data(), kN);
    for (int64_t m = 0; m < kRows; ++m) {
      Multiply({.data = a.data() + m * kK, .rows = 1, .stride = kK}, b, {},
               alone.data(), kN);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), whole.data() + m * kN))
          << "row " << m;
    }
  }
}

TEST_P(MatmulTest, ASumInPartsHasTheBitsOfTheWhole) {
  for (const Storage storage : kStorages) {
    constexpr int64_t kRows = 9, kK = 100, kN = 100;
    const std::vector<float> a = Random(kRows * kK, 1);
    const PackedMatrix b(GetParam(), storage, kK, kN, Random(kK * kN, 2),
                         Random(kN, 3));
    std::vector<float> whole(kRows * kN), parts(kRows * kN);
    Multiply({.data = a.data(), .rows = kRows, .stride = kK}, b, {},
             whole.data(), kN);
    const int64_t cut = b.panel_width();
    for (const MatmulRange& columns :
         {MatmulRange{.n_begin = 0, .n_count = cut},
          MatmulRange{.n_begin = cut, .n_count = kN - cut}}) {
      for (const int64_t k : {0, 36, 64}) {
        MatmulRange range = columns;
        range.k_begin = k;
        range.k_count = k == 0 ? 36 : k == 36 ? 28 : -1;
        Multiply({.data = a.data() + k, .rows = kRows, .stride = kK}, b, range,
                 k == 0 ? MatmulStart::kBias : MatmulStart::kContinue, {},
                 parts.data() + range.n_begin, kN);
      }
    }
    EXPECT_EQ(parts, whole);
  }
}

TEST_P(MatmulTest, ReluComesBeforeTheResidual) {
  for (const Storage storage : kStorages) {
    constexpr int64_t kRows = 7, kK = 5, kN = 19;
    const std::vector<float> a = Random(kRows * kK, 1);
    const PackedMatrix b(GetParam(), storage, kK, kN, Random(kK * kN, 2), {});
    const std::vector<float> residual = Random(kRows * kN, 3);
    std::vector<float> plain(kRows * kN), c = residual;
    const MatmulRows rows = {.data = a.data(), .rows = kRows, .stride = kK};
    Multiply(rows, b, {}, plain.data(), kN);
    Multiply(rows, b,
             {.relu = true, .residual = c.data(), .residual_stride = kN},
             c.data(), kN);
    for (int64_t i = 0; i < kRows * kN; ++i) {
      EXPECT_EQ(c[i], std::max(0.0f, plain[i]) + residual[i]);
    }
  }
}

// A 3x3 convolution with stride 2 over a padded picture, in place.
TEST_P(MatmulTest, RowsMayBeAConvolutionsWindows) {
  for (const Storage storage : kStorages) {
    constexpr int64_t kHeight = 9, kWidth = 7, kChannels = 5, kOut = 20;
    constexpr int64_t kOutHeight = 4, kOutWidth = 3;  // inner windows only
    const std::vector<float> picture = Random(kHeight * kWidth * kChannels, 1);
    const std::vector<float> weight = Random(kOut * 9 * kChannels, 2);
    const std::vector<float> bias = Random(kOut, 3);
    const PackedMatrix b(GetParam(), storage, 9 * kChannels, kOut, weight,
                         bias);
    std::vector<float> c(kOutHeight * kOutWidth * kOut);
    Multiply({.data = picture.data(),
              .rows = kOutHeight * kOutWidth,
              .stride = 2 * kChannels,
              .line_rows = kOutWidth,
              .line_stride = 2 * kWidth * kChannels,
              .segments = 3,
              .segment_stride = kWidth * kChannels},
             b, {}, c.data(), kOut);
    for (int64_t y = 0; y < kOutHeight; ++y) {
      for (int64_t x = 0; x < kOutWidth; ++x) {
        std::vector<float> window;
        for (int64_t row = 0; row < 3; ++row) {
          const auto from =
              picture.begin() + ((2 * y + row) * kWidth + 2 * x) * kChannels;
          window.insert(window.end(), from, from + 3 * kChannels);
        }
        const std::vector<double> expected =
            Expected(storage, window, weight, bias);
        for (int64_t n = 0; n < kOut; ++n) {
          EXPECT_NEAR(c[(y * kOutWidth + x) * kOut + n], expected[n], 1e-5);
        }
      }
    }
  }
}

}  // namespace
}  // namespace groupmamba::testing
