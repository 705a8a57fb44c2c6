#include "client/load/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace groupmamba::client {
namespace {

constexpr int kGaps = 20000;

std::vector<double> GapsInSeconds(ArrivalKind kind, double rate,
                                  uint64_t seed) {
  Arrivals arrivals(kind, RateProfile::Constant(rate), seed);
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
  Arrivals arrivals(ArrivalKind::kConstant, RateProfile::Constant(3000), 1);
  Duration last{};
  for (int i = 0; i < 3000000; ++i) last = arrivals.Next();
  EXPECT_EQ(last, std::chrono::seconds(1000));
}

// 10 calls/s for 20 s, then from 10 to 110 calls/s over 100 s, then 110.
constexpr RateProfile kRamp = {10, 110, std::chrono::seconds(20),
                               std::chrono::seconds(120)};

// Calls that are expected by `t` seconds on kRamp.
double ExpectedOnRamp(double t) {
  const double in_ramp = std::clamp(t - 20, 0.0, 100.0);
  return 10 * std::min(t, 20.0) + 10 * in_ramp + in_ramp * in_ramp / 2 +
         110 * std::max(0.0, t - 120);
}

TEST(ArrivalsTest, AConstantRampFollowsTheRatesIntegral) {
  Arrivals arrivals(ArrivalKind::kConstant, kRamp, 1);
  for (int i = 1; i <= 10000; ++i) {
    ASSERT_NEAR(ExpectedOnRamp(ToSeconds(arrivals.Next())), i, 1e-4);
  }
}

TEST(ArrivalsTest, APoissonRampIsExponentialInTheRatesIntegral) {
  Arrivals arrivals(ArrivalKind::kPoisson, kRamp, 1);
  std::vector<double> gaps;
  double last = 0;
  for (int i = 0; i < kGaps; ++i) {
    const double expected = ExpectedOnRamp(ToSeconds(arrivals.Next()));
    gaps.push_back(expected - last);
    last = expected;
  }
  EXPECT_LT(KolmogorovSmirnov(gaps, 1), 1.63);
}

TEST(ArrivalsTest, ARampDownToNothingEnds) {
  Arrivals arrivals(ArrivalKind::kConstant,
                    {100, 0, Duration(0), std::chrono::seconds(10)}, 1);
  int calls = 0;
  while (arrivals.Next() != Arrivals::kNever) ASSERT_LT(++calls, 501);
  EXPECT_GE(calls, 499);
}

absl::StatusOr<Trace> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadTrace(&in);
}

TEST(TraceTest, HoldsOneTimeALine) {
  const auto trace = Read("# seconds\n0\n0.5\r\n\n 0.5 \n3e0\n");
  ASSERT_TRUE(trace.ok()) << trace.status();
  using std::chrono::milliseconds;
  EXPECT_EQ(*trace, (Trace{milliseconds(0), milliseconds(500),
                           milliseconds(500), milliseconds(3000)}));
}

TEST(TraceTest, TheTimesMayStandInAnyOrder) {
  using std::chrono::milliseconds;
  EXPECT_EQ(*Read("2\n\n1\n"), (Trace{milliseconds(1000), milliseconds(2000)}));
}

TEST(TraceTest, AJournalIsATrace) {
  const auto trace = Read(
      "id,planned_s,sent_s,done_s,code,version,crc32\n"
      "0,0.250000,0.250100,0.260000,OK,1,00c0ffee\n"
      ",0.500000,,,DROPPED,0,\n");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(*trace, (Trace{std::chrono::milliseconds(250),
                           std::chrono::milliseconds(500)}));
}

TEST(TraceTest, WhatIsNoTraceIsNamedByItsLine) {
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "holds no time"},
           {"# nothing\n", "holds no time"},
           {"0\nsoon\n", "line 2 is no time in seconds"},
           {"-1\n", "line 1 is no time in seconds"},
           {"nan\n", "line 1 is no time in seconds"},
           {"1e300\n", "line 1 is no time in seconds"}}) {
    EXPECT_EQ(Read(text).status().message(), message) << text;
  }
}

}  // namespace
}  // namespace groupmamba::client
