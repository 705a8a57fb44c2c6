#include "server/batching/forecast.h"

#include <random>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Priority kHigh = Priority::kHigh;
constexpr Priority kNormal = Priority::kNormal;
constexpr Priority kLow = Priority::kLow;
const TimePoint kNow{std::chrono::hours(1)};

TEST(CompanyRateTest, OneCallerWhoWaitsForEachAnswerIsNoCompany) {
  CompanyRate rate;
  TimePoint now = kNow;
  for (int i = 0; i < 1000; ++i) {
    rate.Arrive(now);
    now += milliseconds(5);
    rate.Leave(now, 1);
    now += std::chrono::microseconds(100);
  }
  EXPECT_EQ(rate.per_second(), 0);
}

TEST(CompanyRateTest, IndependentCallersGiveTheirRate) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(400);
  CompanyRate rate;
  TimePoint now = kNow;
  for (int i = 0; i < 4000; ++i) {
    now += FromSeconds(gap(random));
    rate.Arrive(now);
    if (i >= 3) rate.Leave(now, 1);
  }
  EXPECT_NEAR(rate.per_second(), 400, 80);
}

TEST(CompanyRateTest, ForgetsWithinSeconds) {
  CompanyRate rate;
  TimePoint now = kNow;
  for (int i = 0; i < 1000; ++i) rate.Arrive(now += milliseconds(1));
  EXPECT_NEAR(rate.per_second(), 1000, 50);
  rate.Leave(now + seconds(3), 1);
  EXPECT_LT(rate.per_second(), 5);
}

Forecast MakeForecast(int instances = 1) {
  Forecast forecast(4, instances);
  forecast.times().Seed(1, milliseconds(10));
  forecast.times().Seed(4, milliseconds(10));
  forecast.Finished(kNow, 0, 0);
  return forecast;
}

void Queue(Forecast* forecast, int count, Priority priority = kNormal) {
  for (int i = 0; i < count; ++i) {
    forecast->Arrived(kNow, priority);
    forecast->Ready(priority, Duration(0));
  }
}

TEST(ForecastTest, AnIdleServerComputesAtOnce) {
  const Prediction p = MakeForecast().Predict(kNow, kNormal);
  EXPECT_TRUE(p.idle);
  EXPECT_EQ(p.start, Duration(0));
  EXPECT_NEAR(ToMilliseconds(p.finish), 10, 1e-4);
}

TEST(ForecastTest, WaitsForTheBatchThatRuns) {
  Forecast forecast = MakeForecast();
  Queue(&forecast, 1);
  forecast.Taken(kNormal);
  forecast.Started(kNow, 0, 1);
  const Prediction p = forecast.Predict(kNow + milliseconds(4), kNormal);
  EXPECT_FALSE(p.idle);
  EXPECT_NEAR(ToMilliseconds(p.start), 6, 1e-4);
  EXPECT_NEAR(ToMilliseconds(p.finish), 16, 1e-4);
}

TEST(ForecastTest, ABatchThatIsOverdueMayTakeAsLongAgain) {
  Forecast forecast = MakeForecast();
  forecast.Started(kNow, 0, 1);
  EXPECT_NEAR(
      ToMilliseconds(forecast.Predict(kNow + milliseconds(510), kNormal).start),
      500, 1e-4);
}

TEST(ForecastTest, WaitsForTheFullBatchesBeforeIt) {
  Forecast forecast = MakeForecast();
  Queue(&forecast, 3);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 0, 1e-4);
  Queue(&forecast, 1);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 10, 1e-4);
  Queue(&forecast, 7);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 20, 1e-4);
}

TEST(ForecastTest, WhoIsBeingDecodedIsBeforeWhoComesNow) {
  Forecast forecast = MakeForecast();
  for (int i = 0; i < 4; ++i) forecast.Arrived(kNow, kNormal);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 10, 1e-4);
  forecast.CalledOff(kNow, kNormal);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 0, 1e-4);
}

TEST(ForecastTest, OnlyThoseOfTheSameOrAHigherPriorityAreBeforeIt) {
  Forecast forecast = MakeForecast();
  Queue(&forecast, 4, kLow);
  EXPECT_EQ(forecast.Predict(kNow, kNormal).start, Duration(0));
  EXPECT_GT(forecast.Predict(kNow, kLow).start, Duration(0));
  Queue(&forecast, 4, kHigh);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 10, 1e-4);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kLow).start), 20, 1e-4);
}

TEST(ForecastTest, InstancesShareTheQueue) {
  Forecast forecast = MakeForecast(2);
  Queue(&forecast, 16);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 20, 1e-4);
  forecast.Started(kNow, 0, 4);
  EXPECT_NEAR(ToMilliseconds(forecast.Predict(kNow, kNormal).start), 20, 1e-4)
      << "the other one is free";
}

TEST(ForecastTest, TheBooksBalance) {
  Forecast forecast = MakeForecast();
  Queue(&forecast, 5);
  forecast.LeftQueue(kNow, kNormal);
  for (int i = 0; i < 4; ++i) forecast.Taken(kNormal);
  forecast.Started(kNow, 0, 4);
  forecast.Finished(kNow, 0, 4);
  EXPECT_TRUE(forecast.Predict(kNow, kLow).idle);
}

TEST(ForecastTest, WithoutAnybodyExpectedTheGapIsForever) {
  Forecast forecast = MakeForecast();
  EXPECT_EQ(forecast.Gap(), Forecast::kNever);
  Queue(&forecast, 1);
  EXPECT_EQ(forecast.Gap(), Forecast::kNever);
}

TEST(ForecastTest, WhoIsBeingDecodedIsExpectedAfterAShareOfTheUsualTime) {
  Forecast forecast = MakeForecast();
  for (int i = 0; i < 100; ++i) {
    forecast.Arrived(kNow, kNormal);
    forecast.Ready(kNormal, milliseconds(6));
  }
  forecast.Arrived(kNow, kNormal);
  EXPECT_NEAR(ToMilliseconds(forecast.Gap()), 6, 0.01);
  forecast.Arrived(kNow, kLow);
  forecast.Arrived(kNow, kHigh);
  EXPECT_NEAR(ToMilliseconds(forecast.Gap()), 2, 0.01);
}

}  // namespace
}  // namespace groupmamba
