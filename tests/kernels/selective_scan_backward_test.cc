// The backward scan: the oracle's gradients against finite differences of its
// own forward scan, then every implementation against the oracle.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/selective_scan.h"
#include "tests/kernels/scan_case.h"
#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::testing {
namespace {

using kernels::Direction;
using kernels::Isa;
using kernels::ScanShape;

double Loss(const reference::Scan& scan, Direction direction,
            const std::vector<double>& dy) {
  const auto y = reference::Forward(scan, direction);
  double loss = 0;
  for (size_t i = 0; i < y.size(); ++i) loss += dy[i] * y[i];
  return loss;
}

// The gradient by every element of one of the scan's tensors, by central
// differences.
std::vector<double> Differences(reference::Scan scan, Direction direction,
                                const std::vector<double>& dy,
                                std::vector<double> reference::Scan::*tensor) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (double& x : scan.*tensor) {
    const double at = x;
    x = at + kStep;
    const double above = Loss(scan, direction, dy);
    x = at - kStep;
    const double below = Loss(scan, direction, dy);
    x = at;
    gradient.push_back((above - below) / (2 * kStep));
  }
  return gradient;
}

TEST(SelectiveScanOracle, GradientsAreThoseOfFiniteDifferences) {
  const reference::Scan scan = RandomScan({2, 3, 4, 3}, 11);
  const auto dy = RandomValues(scan.u.size(), -1, 1, 12);
  for (Direction direction : kDirections) {
    const auto got = reference::Backward(scan, direction, dy);
    const auto expect_same = [&](const std::vector<double>& gradient,
                                 std::vector<double> reference::Scan::*by) {
      EXPECT_LE(RelativeError(gradient, Differences(scan, direction, dy, by)),
                1e-8);
    };
    expect_same(got.du, &reference::Scan::u);
    expect_same(got.ddelta, &reference::Scan::delta);
    expect_same(got.db, &reference::Scan::b);
    expect_same(got.dc, &reference::Scan::c);
    expect_same(got.da, &reference::Scan::a);
    expect_same(got.dd, &reference::Scan::d);
    expect_same(got.ddelta_bias, &reference::Scan::delta_bias);
  }
}

class SelectiveScanBackwardTest : public ScanTest {};
INSTANTIATE_TEST_SUITE_P(Isa, SelectiveScanBackwardTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

TEST_P(SelectiveScanBackwardTest, EqualsTheOracleInEveryDirection) {
  constexpr double kTolerance = 1e-6;
  // Thousands of terms of either sign nearly cancel in these.
  constexpr double kSumTolerance = 2e-5;
  for (const ScanShape& shape : InterestingShapes()) {
    const reference::Scan scan = RandomScan(shape, 13);
    const auto dy = RandomValues(scan.u.size(), -1, 1, 14);
    for (Direction direction : kDirections) {
      SCOPED_TRACE(Describe(shape));
      const auto got = RunBackward(GetParam(), direction, scan, dy, 2);
      const auto want = reference::Backward(scan, direction, dy);
      EXPECT_LE(RelativeError(got.du, want.du), kTolerance);
      EXPECT_LE(RelativeError(got.ddelta, want.ddelta), kTolerance);
      EXPECT_LE(RelativeError(got.db, want.db), kTolerance);
      EXPECT_LE(RelativeError(got.dc, want.dc), kTolerance);
      EXPECT_LE(RelativeError(got.da, want.da), kSumTolerance);
      EXPECT_LE(RelativeError(got.dd, want.dd), kSumTolerance);
      EXPECT_LE(RelativeError(got.ddelta_bias, want.ddelta_bias),
                kSumTolerance);
    }
  }
}

TEST_P(SelectiveScanBackwardTest, IsTheSameToTheBitEveryTime) {
  const reference::Scan scan = RandomScan({4, 9, 5, 87}, 15);
  const auto dy = RandomValues(scan.u.size(), -1, 1, 16);
  for (Direction direction : kDirections) {
    const auto once = RunBackward(GetParam(), direction, scan, dy, 0);
    const auto again = RunBackward(GetParam(), direction, scan, dy, 7);
    EXPECT_EQ(once.du, again.du);
    EXPECT_EQ(once.ddelta, again.ddelta);
    EXPECT_EQ(once.db, again.db);
    EXPECT_EQ(once.dc, again.dc);
    EXPECT_EQ(once.da, again.da);
    EXPECT_EQ(once.dd, again.dd);
    EXPECT_EQ(once.ddelta_bias, again.ddelta_bias);
  }
}

TEST_P(SelectiveScanBackwardTest, FiniteInputsOfAnySizeGiveFiniteGradients) {
  reference::Scan scan = RandomScan({1, 7, 2, 33}, 17);
  const std::vector<double> x = {0,   87,   88,    -87, -88, -104, -1e4,
                                 1e4, 1e30, -1e30, 20,  -20, 40,   -40};
  for (size_t i = 0; i < scan.delta.size(); ++i) {
    scan.delta[i] = x[i / 33];
    scan.u[i] = 1e-6;
  }
  const auto dy = RandomValues(scan.u.size(), -1, 1, 18);
  for (Direction direction : kDirections) {
    const auto got = RunBackward(GetParam(), direction, scan, dy, 0);
    for (const auto* gradient : {&got.du, &got.ddelta, &got.db, &got.dc,
                                 &got.da, &got.dd, &got.ddelta_bias}) {
      for (double g : *gradient) EXPECT_TRUE(std::isfinite(g));
    }
  }
}

}  // namespace
}  // namespace groupmamba::testing
