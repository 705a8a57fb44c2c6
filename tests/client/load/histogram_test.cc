#include "client/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace groupmamba::client {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Whole microseconds from 1 us to a minute, most of them around 5 ms.
std::vector<int64_t> Sample(uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> distribution(std::log(5000.0), 2.0);
  std::vector<int64_t> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(
        std::clamp<int64_t>(std::llround(distribution(random)), 1, 60000000));
  }
  return values;
}

Histogram Recorded(const std::vector<int64_t>& values) {
  Histogram histogram;
  for (const int64_t value : values) histogram.Record(microseconds(value));
  return histogram;
}

TEST(HistogramTest, QuantilesAreTheExactOnesToThreeDigits) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    std::vector<int64_t> values = Sample(seed, 50000);
    const Histogram histogram = Recorded(values);
    std::sort(values.begin(), values.end());
    for (const double q : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const size_t rank = std::max<size_t>(
          1, std::ceil(q * static_cast<double>(values.size())));
      const auto exact = static_cast<double>(values[rank - 1]);
      const auto found =
          static_cast<double>(histogram.Quantile(q) / microseconds(1));
      EXPECT_GE(found, exact) << q;
      EXPECT_LE(found, exact * 1.001) << q;
    }
  }
}

// A million times of each of five shapes, in nanoseconds.
std::vector<std::pair<std::string, std::function<double(std::mt19937_64&)>>>
Shapes() {
  return {{"uniform", std::uniform_real_distribution<double>(1e3, 5e7)},
          {"exponential", std::exponential_distribution<double>(1 / 4e6)},
          {"lognormal", std::lognormal_distribution<double>(std::log(5e6), 2)},
          {"two modes",
           [](std::mt19937_64& random) {
             const bool slow = random() % 50 == 0;
             return std::normal_distribution<double>(slow ? 9e8 : 2e6,
                                                     slow ? 1e8 : 2e5)(random);
           }},
          {"heavy tail", [](std::mt19937_64& random) {
             return 1e5 / std::pow(std::uniform_real_distribution<double>(
                                       1e-9, 1)(random),
                                   0.8);
           }}};
}

TEST(HistogramTest,
     QuantilesOfAMillionTimesAreWithinAThousandthOrAMicrosecond) {
  for (auto& [name, draw] : Shapes()) {
    std::mt19937_64 random(7);
    std::vector<Duration> times;
    Histogram histogram;
    for (int i = 0; i < 1'000'000; ++i) {
      times.push_back(
          std::clamp<Duration>(nanoseconds(std::llround(draw(random))),
                               nanoseconds(0), seconds(60)));
      histogram.Record(times.back());
    }
    std::sort(times.begin(), times.end());
    for (const double q : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999}) {
      const Duration exact = times[static_cast<size_t>(std::ceil(q * 1e6)) - 1];
      const Duration allowed =
          std::max<Duration>(microseconds(1), exact / 1000);
      const Duration found = histogram.Quantile(q);
      EXPECT_LE(found - exact, allowed) << name << " " << q;
      EXPECT_LE(exact - found, allowed) << name << " " << q;
    }
  }
}

TEST(HistogramTest, CoarseQuantilesAreWithinEightThousandths) {
  const std::vector<int64_t> values = Sample(9, 20000);
  Histogram fine;
  Histogram coarse(Histogram::kCoarse);
  for (const int64_t value : values) {
    fine.Record(microseconds(value));
    coarse.Record(microseconds(value));
  }
  for (const double q : {0.01, 0.5, 0.99}) {
    EXPECT_NEAR(ToSeconds(coarse.Quantile(q)), ToSeconds(fine.Quantile(q)),
                0.009 * ToSeconds(fine.Quantile(q)));
  }
}

TEST(HistogramTest, CountsWhatWasAtMostATime) {
  const Histogram histogram = Recorded({1, 5, 5, 2000, 50000});
  EXPECT_EQ(histogram.CountAtMost(microseconds(-1)), 0);
  EXPECT_EQ(histogram.CountAtMost(microseconds(0)), 0);
  EXPECT_EQ(histogram.CountAtMost(microseconds(1)), 1);
  EXPECT_EQ(histogram.CountAtMost(microseconds(5)), 3);
  EXPECT_EQ(histogram.CountAtMost(microseconds(49900)), 4);
  EXPECT_EQ(histogram.CountAtMost(microseconds(50000)), 5);
  EXPECT_EQ(histogram.CountAtMost(seconds(60)), 5);
  EXPECT_EQ(Histogram().CountAtMost(seconds(1)), 0);
}

TEST(HistogramTest, EveryValueFallsIntoABucketNoWiderThanAThousandth) {
  for (int64_t value = 1; value <= 60000000; value += 1 + value / 700) {
    Histogram histogram;
    histogram.Record(microseconds(value));
    histogram.Record(seconds(60));
    const int64_t found = histogram.Quantile(0.5) / microseconds(1);
    ASSERT_GE(found, value);
    ASSERT_LE(found, value * 1.001);
  }
}

TEST(HistogramTest, MergingIsRecordingBoth) {
  const std::vector<int64_t> a = Sample(4, 1000);
  const std::vector<int64_t> b = Sample(5, 3000);
  std::vector<int64_t> both = a;
  both.insert(both.end(), b.begin(), b.end());
  Histogram merged = Recorded(a);
  merged.Merge(Recorded(b));
  const Histogram expected = Recorded(both);
  EXPECT_EQ(merged.count(), 4000);
  EXPECT_EQ(merged.max(), expected.max());
  EXPECT_EQ(merged.Mean(), expected.Mean());
  for (const double q : {0.1, 0.5, 0.9, 0.99}) {
    EXPECT_EQ(merged.Quantile(q), expected.Quantile(q));
  }
}

TEST(HistogramTest, MaximumAndMeanAreExact) {
  Histogram histogram;
  histogram.Record(microseconds(1234567));
  histogram.Record(microseconds(1));
  EXPECT_EQ(histogram.max(), microseconds(1234567));
  EXPECT_EQ(histogram.Quantile(1), microseconds(1234567));
  EXPECT_EQ(histogram.Mean(), microseconds(617284));
}

TEST(HistogramTest, TimesOutsideTheRangeCountAsItsEnds) {
  Histogram histogram;
  histogram.Record(nanoseconds(-5));
  histogram.Record(nanoseconds(400));
  EXPECT_EQ(histogram.max(), Duration(0));
  histogram.Record(std::chrono::hours(1));
  EXPECT_EQ(histogram.max(), Histogram::kHighest);
  EXPECT_EQ(histogram.Quantile(1), Histogram::kHighest);
  EXPECT_EQ(histogram.count(), 3);
}

TEST(HistogramTest, NothingRecordedIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), Duration(0));
  EXPECT_EQ(histogram.Mean(), Duration(0));
  EXPECT_EQ(histogram.max(), Duration(0));
}

}  // namespace
}  // namespace groupmamba::client
