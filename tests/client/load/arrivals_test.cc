#include "client/load/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace groupmamba::client {
namespace {

constexpr int kGaps = 20000;

std::vector<double> GapsInSeconds(ArrivalKind kind, double rate,
                                  uint64_t seed) {
  Arrivals arrivals(kind, rate, seed);
  std::vector<double> gaps;
  Duration last{};
  for (int i = 0; i < kGaps; ++i) {
    const Duration next = arrivals.Next();
    gaps.push_back(ToSeconds(next - last));
    last = next;
  }
  return gaps;
}

// The Kolmogorov-Smirnov statistic against the exponential distribution of
// `rate`, times the square root of the sample's size. Above 1.63 the sample is
// not of that distribution, at the 1 % level.
double KolmogorovSmirnov(std::vector<double> gaps, double rate) {
  std::sort(gaps.begin(), gaps.end());
  const double n = static_cast<double>(gaps.size());
  double distance = 0;
  for (size_t i = 0; i < gaps.size(); ++i) {
    const double expected = 1 - std::exp(-rate * gaps[i]);
    distance = std::max({distance, std::abs(expected - i / n),
                         std::abs(expected - (i + 1) / n)});
  }
  return distance * std::sqrt(n);
}

TEST(ArrivalsTest, PoissonGapsAreExponential) {
  for (const double rate : {0.5, 200.0, 5000.0}) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
      EXPECT_LT(KolmogorovSmirnov(
                    GapsInSeconds(ArrivalKind::kPoisson, rate, seed), rate),
                1.63)
          << rate << "/s, seed " << seed;
    }
  }
}

TEST(ArrivalsTest, TheStatisticTellsOtherRatesAndKindsApart) {
  EXPECT_GT(
      KolmogorovSmirnov(GapsInSeconds(ArrivalKind::kPoisson, 100, 1), 105),
      1.63);
  EXPECT_GT(
      KolmogorovSmirnov(GapsInSeconds(ArrivalKind::kConstant, 100, 1), 100),
      1.63);
}

TEST(ArrivalsTest, PoissonGapsDoNotDependOnTheOneBefore) {
  const std::vector<double> gaps = GapsInSeconds(ArrivalKind::kPoisson, 1, 1);
  double product = 0;
  for (size_t i = 1; i < gaps.size(); ++i) {
    product += (gaps[i - 1] - 1) * (gaps[i] - 1);
  }
  // The correlation of neighbours; three standard deviations.
  EXPECT_LT(std::abs(product / kGaps), 3 / std::sqrt(double{kGaps}));
}

TEST(ArrivalsTest, TheSameSeedGivesTheSameTimesAndAnotherOthers) {
  const auto first = GapsInSeconds(ArrivalKind::kPoisson, 100, 7);
  EXPECT_EQ(first, GapsInSeconds(ArrivalKind::kPoisson, 100, 7));
  EXPECT_NE(first, GapsInSeconds(ArrivalKind::kPoisson, 100, 8));
}

TEST(ArrivalsTest, ConstantArrivalsDoNotDrift) {
  Arrivals arrivals(ArrivalKind::kConstant, 3000, 1);
  Duration last{};
  for (int i = 0; i < 3000000; ++i) last = arrivals.Next();
  EXPECT_EQ(last, std::chrono::seconds(1000));
}

}  // namespace
}  // namespace groupmamba::client
