// What the tests of the token-wise kernels have in common.

#ifndef GROUPMAMBA_TESTS_KERNELS_TOKEN_FIXTURE_H_
#define GROUPMAMBA_TESTS_KERNELS_TOKEN_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/token_kernels.h"
#include "tests/kernels/guarded_tensor.h"
#include "tests/kernels/scan_case.h"
#include "tests/reference/token_oracle.h"

namespace groupmamba::testing {

using kernels::ConstTokens;
using kernels::Tokens;
using reference::Values;

class TokenKernelsTest : public ScanTest {};

inline constexpr int kChannels[] = {1,   2,   3,   5,   8,   15, 16,
                                    17,  23,  32,  33,  87,  88, 112,
                                    128, 256, 348, 448, 1392};

// A guarded tensor with these values, `gap` floats between tokens.
class Tensor {
 public:
  Tensor(const Values& values, int64_t channels, int gap = 0)
      : tensor_(1, static_cast<int64_t>(values.size()) / channels, channels,
                gap),
        stride_(channels + gap) {
    tensor_.Fill(values);
  }

  Tokens view() const { return {tensor_.data(), stride_}; }
  const float* data() const { return tensor_.data(); }
  Values Get() const {
    EXPECT_TRUE(tensor_.GapsAreUntouched());
    return tensor_.ToDense();
  }

 private:
  GuardedTensor tensor_;
  int64_t stride_;
};

inline Values NaNs(size_t count) {
  return Values(count, std::numeric_limits<double>::quiet_NaN());
}

// The largest error of any element, in units of max(1, |want|).
inline double WorstError(const Values& got, const Values& want) {
  double worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double error =
        std::abs(got[i] - want[i]) / std::max(1.0, std::abs(want[i]));
    if (!(error <= worst)) worst = error;
    if (std::isnan(error)) break;
  }
  return worst;
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_KERNELS_TOKEN_FIXTURE_H_
