#include "client/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
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
