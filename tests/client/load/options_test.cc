#include "client/load/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace groupmamba::client {
namespace {

std::vector<double> Rates(const char* text) {
  std::vector<double> rates;
  const auto plans = ParseSweep(text, LoadPlan());
  if (!plans.ok()) return rates;
  for (const LoadPlan& plan : *plans) {
    EXPECT_TRUE(plan.open);
    rates.push_back(plan.rate);
  }
  return rates;
}

TEST(SweepTest, IsAListOrARange) {
  EXPECT_EQ(Rates("rate=10,20.5,5"), (std::vector<double>{10, 20.5, 5}));
  EXPECT_EQ(Rates("rate=10:50:20"), (std::vector<double>{10, 30, 50}));
  EXPECT_EQ(Rates("rate=10:49:20"), (std::vector<double>{10, 30}));
  EXPECT_EQ(Rates("rate=1:1:5"), (std::vector<double>{1}));
  const auto closed = ParseSweep("concurrency=1,8", LoadPlan());
  ASSERT_TRUE(closed.ok());
  EXPECT_FALSE((*closed)[1].open);
  EXPECT_EQ((*closed)[1].concurrency, 8);
}

TEST(SweepTest, WhatIsNeitherIsRefused) {
  for (const char* text :
       {"", "rate", "rate=", "rate=0", "rate=-1", "rate=a", "rate=1:2",
        "rate=2:1:1", "rate=1:2:3:4", "rate=1:1000:1", "rate=nan",
        "concurrency=1.5", "concurrency=20000", "users=3"}) {
    EXPECT_FALSE(ParseSweep(text, LoadPlan()).ok()) << text;
  }
}

TEST(ModelsTest, HaveWeights) {
  const auto models = ParseModels("a=3,b=0.5,c");
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 3u);
  EXPECT_EQ((*models)[0].name, "a");
  EXPECT_EQ((*models)[0].weight, 3);
  EXPECT_EQ((*models)[1].weight, 0.5);
  EXPECT_EQ((*models)[2].weight, 1);
  EXPECT_EQ(ParseModels("")->front().name, "");
  for (const char* text : {"a=", "a=0", "a=-1", "a=x", "=1", "a,,b", "a=nan"}) {
    EXPECT_FALSE(ParseModels(text).ok()) << text;
  }
}

}  // namespace
}  // namespace groupmamba::client
