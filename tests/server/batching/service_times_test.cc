#include "server/batching/service_times.h"

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

double Ms(const ServiceTimes& times, int size) {
  return ToMilliseconds(times.Typical(size));
}

// As on a GPU: 5 ms and 1 ms a picture.
ServiceTimes Affine(int max_batch) {
  ServiceTimes times(max_batch);
  times.Seed(1, milliseconds(6));
  if (max_batch > 1) times.Seed(max_batch, milliseconds(5 + max_batch));
  return times;
}

TEST(ServiceTimesTest, SizesBetweenTwoSeedsLieOnTheLine) {
  const ServiceTimes times = Affine(8);
  for (int n = 1; n <= 8; ++n) EXPECT_NEAR(Ms(times, n), 5 + n, 1e-4) << n;
}

TEST(ServiceTimesTest, SizesAboveTheLastSeedLieOnTheRay) {
  ServiceTimes times(8);
  times.Seed(1, milliseconds(3));
  times.Seed(2, milliseconds(4));
  EXPECT_NEAR(Ms(times, 4), 8, 1e-4);
  EXPECT_NEAR(Ms(times, 8), 16, 1e-4);
}

TEST(ServiceTimesTest, FollowsALastingChangeWithinFifteenBatches) {
  for (double factor : {0.5, 2.}) {
    ServiceTimes times = Affine(8);
    for (int i = 0; i < 18; ++i) {
      times.Observe(8, microseconds(static_cast<int>(13'000 * factor)));
    }
    EXPECT_NEAR(Ms(times, 8), 13 * factor, 0.1 * 13 * factor) << factor;
  }
}

TEST(ServiceTimesTest, OneHiccupHoweverLongMovesAnEstimateByAFewPercent) {
  ServiceTimes times = Affine(8);
  times.Observe(8, seconds(100));
  EXPECT_LE(Ms(times, 8), 13 * 1.06);
  EXPECT_LE(Ms(times, 1), 6 * 1.03);
  times.Observe(8, Duration(0));
  EXPECT_GE(Ms(times, 8), 13 * 0.94);
}

TEST(ServiceTimesTest, AMachineThatGetsSlowerGetsSlowerAtEverySize) {
  ServiceTimes times = Affine(8);
  for (int i = 0; i < 100; ++i) times.Observe(8, milliseconds(26));
  EXPECT_GT(Ms(times, 1), 6 * 1.25);
}

// Whatever the mix of sizes, what is measured is what is predicted.
TEST(ServiceTimesTest, MeasurementsOfSeveralSizesDoNotDisturbEachOther) {
  ServiceTimes times(8);
  times.Seed(1, milliseconds(10));
  times.Seed(8, milliseconds(20));
  for (int i = 0; i < 200; ++i) {
    times.Observe(1, milliseconds(4));
    times.Observe(8, milliseconds(40));
    times.Observe(3, milliseconds(9));
  }
  EXPECT_NEAR(Ms(times, 1), 4, 0.1);
  EXPECT_NEAR(Ms(times, 3), 9, 0.2);
  EXPECT_NEAR(Ms(times, 8), 40, 0.5);
}

TEST(ServiceTimesTest, CautionGrowsWithTheSpreadAndIsBounded) {
  ServiceTimes times = Affine(8);
  EXPECT_DOUBLE_EQ(times.caution(), 1.1);
  for (int i = 0; i < 100; ++i) {
    times.Observe(8, milliseconds(i % 2 == 0 ? 12 : 14));
  }
  EXPECT_GT(times.caution(), 1.15);
  EXPECT_LT(times.caution(), 1.4);
  for (int i = 0; i < 100; ++i) {
    times.Observe(8, milliseconds(i % 2 == 0 ? 1 : 1000));
  }
  EXPECT_DOUBLE_EQ(times.caution(), 1.5);
}

TEST(ServiceTimesTest, WhereABatchCostsAsMuchAsItsPicturesTheBestIsOne) {
  ServiceTimes times(8);
  times.Seed(1, milliseconds(2));
  times.Seed(8, milliseconds(16));
  EXPECT_EQ(times.BestSize(8), 1);
}

TEST(ServiceTimesTest, WhereABatchCostsAsMuchAsOnePictureTheBestIsAll) {
  ServiceTimes times(8);
  times.Seed(1, milliseconds(5));
  times.Seed(8, milliseconds(5));
  for (int n = 1; n <= 8; ++n) EXPECT_EQ(times.BestSize(n), n);
  EXPECT_EQ(times.BestSize(100), 8);
}

// Two threads with a picture each: two take as long as one on its own.
TEST(ServiceTimesTest, TheBestIsTheSmallestThatLosesNothing) {
  ServiceTimes times(4);
  times.Seed(1, milliseconds(10));
  times.Seed(2, milliseconds(12));
  times.Seed(4, milliseconds(24));
  EXPECT_EQ(times.BestSize(1), 1);
  EXPECT_EQ(times.BestSize(4), 2);
}

TEST(ServiceTimesTest, ASizeThatIsWronglyThoughtSlowIsTriedAgain) {
  ServiceTimes times(2);
  times.Seed(1, milliseconds(10));
  times.Seed(2, milliseconds(21));
  int batches = 0;
  for (; times.BestSize(2) == 1 && batches < 2000; ++batches) {
    times.Observe(1, milliseconds(10));
  }
  EXPECT_GT(batches, 100);
  EXPECT_LT(batches, 1000);
  times.Observe(2, milliseconds(30));
  EXPECT_EQ(times.BestSize(2), 1) << "it was slow indeed";
}

TEST(ServiceTimesTest, AClockThatStandsStillDoesNoHarm) {
  ServiceTimes times(4);
  times.Seed(1, Duration(0));
  times.Seed(4, Duration(0));
  times.Observe(2, Duration(0));
  EXPECT_GE(times.BestSize(4), 1);
  EXPECT_LE(times.Typical(4), microseconds(1));
}

}  // namespace
}  // namespace groupmamba
