// The forward scan: every implementation against the double-precision oracle.
#include "kernels/selective_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "absl/algorithm/container.h"
#include "tests/kernels/scan_case.h"
#include "tests/reference/selective_scan_oracle.h"

namespace groupmamba::testing {
namespace {

using kernels::Direction;
using kernels::Isa;
using kernels::ScanShape;

class SelectiveScanTest : public ScanTest {};
INSTANTIATE_TEST_SUITE_P(Isa, SelectiveScanTest,
                         ::testing::Values(Isa::kPortable, Isa::kAvx2,
                                           Isa::kAvx512),
                         IsaTestName);

TEST(SelectiveScanDispatch, PortableRunsEverywhere) {
  EXPECT_EQ(kernels::SupportedIsas().front(), Isa::kPortable);
}

TEST_P(SelectiveScanTest, EqualsTheOracleInEveryDirection) {
  for (const ScanShape& shape : InterestingShapes()) {
    const reference::Scan scan = RandomScan(shape, 1);
    for (Direction direction : kDirections) {
      SCOPED_TRACE(Describe(shape));
      EXPECT_LE(RelativeError(RunForward(GetParam(), direction, scan, 0),
                              reference::Forward(scan, direction)),
                3e-7);
    }
  }
}

TEST_P(SelectiveScanTest, StridesAreTheCallers) {
  for (const ScanShape& shape : InterestingShapes()) {
    const reference::Scan scan = RandomScan(shape, 2);
    for (Direction direction : kDirections) {
      SCOPED_TRACE(Describe(shape));
      EXPECT_EQ(RunForward(GetParam(), direction, scan, 5),
                RunForward(GetParam(), direction, scan, 0));
    }
  }
}

TEST_P(SelectiveScanTest, AnImpulseReachesOnlyWhatIsLaterInItsDirection) {
  constexpr int kHeight = 4, kWidth = 5, kRow = 1, kColumn = 2;
  reference::Scan scan = RandomScan({1, kHeight, kWidth, 1}, 3);
  absl::c_fill(scan.u, 0);
  scan.u[kRow * kWidth + kColumn] = 1;
  for (Direction direction : kDirections) {
    const auto y = RunForward(GetParam(), direction, scan, 0);
    for (int row = 0; row < kHeight; ++row) {
      for (int column = 0; column < kWidth; ++column) {
        const bool rows_first = direction == Direction::kLeftRight ||
                                direction == Direction::kRightLeft;
        const bool forwards = direction == Direction::kLeftRight ||
                              direction == Direction::kTopBottom;
        const auto here =
            rows_first ? std::pair(row, column) : std::pair(column, row);
        const auto impulse =
            rows_first ? std::pair(kRow, kColumn) : std::pair(kColumn, kRow);
        const bool reached = forwards ? here >= impulse : here <= impulse;
        EXPECT_EQ(y[row * kWidth + column] != 0, reached)
            << "direction " << static_cast<int>(direction) << " row " << row
            << " column " << column;
      }
    }
  }
}

TEST_P(SelectiveScanTest, AnImageIsTheSameToTheBitInEveryPlaceOfABatch) {
  const reference::Scan batch = RandomScan({5, 7, 6, 43}, 4);
  const size_t elements = 7 * 6 * 43, tokens = 7 * 6;
  const auto slice = [](const std::vector<double>& from, size_t image,
                        size_t size) {
    return std::vector<double>(from.begin() + image * size,
                               from.begin() + (image + 1) * size);
  };
  for (Direction direction : kDirections) {
    const auto together = RunForward(GetParam(), direction, batch, 3);
    for (size_t image = 0; image < 5; ++image) {
      reference::Scan alone = batch;
      alone.shape.batch = 1;
      alone.u = slice(batch.u, image, elements);
      alone.delta = slice(batch.delta, image, elements);
      alone.b = slice(batch.b, image, tokens);
      alone.c = slice(batch.c, image, tokens);
      EXPECT_EQ(RunForward(GetParam(), direction, alone, 0),
                slice(together, image, elements));
    }
  }
}

TEST_P(SelectiveScanTest, AChannelIsTheSameToTheBitAmongHoweverManyOthers) {
  const reference::Scan all = RandomScan({1, 5, 4, 61}, 5);
  const auto together = RunForward(GetParam(), Direction::kTopBottom, all, 0);
  for (size_t channel = 0; channel < 61; ++channel) {
    reference::Scan alone = all;
    alone.shape.channels = 1;
    alone.a = {all.a[channel]};
    alone.d = {all.d[channel]};
    alone.delta_bias = {all.delta_bias[channel]};
    alone.u.clear();
    alone.delta.clear();
    std::vector<double> want;
    for (size_t token = 0; token < 20; ++token) {
      alone.u.push_back(all.u[token * 61 + channel]);
      alone.delta.push_back(all.delta[token * 61 + channel]);
      want.push_back(together[token * 61 + channel]);
    }
    EXPECT_EQ(RunForward(GetParam(), Direction::kTopBottom, alone, 0), want);
  }
}

// A scan whose output is softplus(x): one token an image, u = b = c = 1, d = 0.
std::vector<double> SoftplusByScan(Isa isa, const std::vector<double>& x) {
  reference::Scan scan;
  const auto count = static_cast<int64_t>(x.size());
  scan.shape = {1, 1, 1, count};
  scan.u.assign(x.size(), 1);
  scan.delta = x;
  scan.b = scan.c = {1};
  scan.a.assign(x.size(), -1);
  scan.d = scan.delta_bias = std::vector<double>(x.size(), 0);
  return RunForward(isa, Direction::kLeftRight, scan, 0);
}

std::vector<double> Range(double low, double high, int count) {
  std::vector<double> values(count);
  for (int i = 0; i < count; ++i) {
    values[i] = static_cast<float>(low + (high - low) * i / (count - 1));
  }
  return values;
}

constexpr double kUlp = 0x1p-23;

TEST_P(SelectiveScanTest, SoftplusIsWithinThreeUlpOfTheTruth) {
  const auto x = Range(-86, 120, 200003);
  const auto got = SoftplusByScan(GetParam(), x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want =
        std::max(x[i], 0.0) + std::log1p(std::exp(-std::abs(x[i])));
    worst = std::max(worst, std::abs(got[i] / want - 1));
  }
  RecordProperty("worst_ulp", std::to_string(worst / kUlp));
  EXPECT_LE(worst, 3 * kUlp);
}

// With h_0 = 1 and u_1 = 0, y_1 is the decay exp(softplus(x) a).
TEST_P(SelectiveScanTest, DecayIsWithinThreeUlpOfTheTruthAndOfItsArgument) {
  const auto a = Range(-80, -1e-4, 100003);
  reference::Scan scan;
  const auto count = static_cast<int64_t>(a.size());
  scan.shape = {1, 1, 2, count};
  const double x = 0.5413248546;  // softplus(x) = 1, nearly
  const double delta = SoftplusByScan(GetParam(), {x})[0];
  scan.delta.assign(2 * a.size(), x);
  scan.u.assign(a.size(), 1);
  scan.u.resize(2 * a.size(), 0);
  scan.b = scan.c = {1, 1};
  scan.a = a;
  scan.d = scan.delta_bias = std::vector<double>(a.size(), 0);
  const auto y = RunForward(GetParam(), Direction::kLeftRight, scan, 0);
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double want = std::exp(delta * a[i]) * delta;
    const double argument = std::abs(delta * a[i]);
    worst = std::max(worst, std::abs(y[a.size() + i] / want - 1) /
                                (3 * kUlp + 0.5 * kUlp * argument));
  }
  EXPECT_LE(worst, 1);
}

TEST_P(SelectiveScanTest, FiniteInputsOfAnySizeGiveFiniteOutputs) {
  const float big = 1e30f;
  const std::vector<double> x = {0,   -0.0, 1e-45, -1e-45, 87,  88,   89,
                                 -87, -88,  -104,  -1e4,   1e4, -big, big};
  for (double got : SoftplusByScan(GetParam(), x)) {
    EXPECT_TRUE(std::isfinite(got));
    EXPECT_GT(got, 0);
  }
  reference::Scan scan = RandomScan({1, 7, 2, 33}, 6);
  for (size_t i = 0; i < scan.delta.size(); ++i) {
    scan.delta[i] = x[i / 33];
    scan.u[i] = 1e-6;
  }
  for (double& a : scan.a) a *= 1e30;
  for (Direction direction : kDirections) {
    for (double y : RunForward(GetParam(), direction, scan, 0)) {
      EXPECT_TRUE(std::isfinite(y));
    }
  }
}

TEST_P(SelectiveScanTest, WhatIsNotANumberStaysVisible) {
  for (double poison : {std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::infinity()}) {
    reference::Scan scan = RandomScan({1, 1, 1, 1}, 7);
    scan.delta = {poison};
    const auto y = RunForward(GetParam(), Direction::kLeftRight, scan, 0);
    EXPECT_FALSE(std::isfinite(y[0]));
  }
}

}  // namespace
}  // namespace groupmamba::testing
