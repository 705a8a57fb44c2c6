#include "client/load/objective.h"

#include <gtest/gtest.h>

#include <chrono>

namespace groupmamba::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(ObjectiveTest, IsReadAndWrittenTheSameWay) {
  const auto objective = ParseObjective("p99=50ms,p99.9=1.5s,errors=0.5%");
  ASSERT_TRUE(objective.ok()) << objective.status();
  ASSERT_EQ(objective->latencies.size(), 2u);
  EXPECT_DOUBLE_EQ(objective->latencies[0].quantile, 0.99);
  EXPECT_EQ(objective->latencies[0].limit, milliseconds(50));
  EXPECT_DOUBLE_EQ(objective->latencies[1].quantile, 0.999);
  EXPECT_EQ(objective->latencies[1].limit, milliseconds(1500));
  EXPECT_DOUBLE_EQ(objective->max_errors, 0.005);
  EXPECT_EQ(objective->Limit(), milliseconds(1500));
  EXPECT_EQ(ToString(*objective), "p99=50ms,p99.9=1500ms,errors=0.5%");
  EXPECT_EQ(ParseObjective("p50=800us")->latencies[0].limit, microseconds(800));
  EXPECT_DOUBLE_EQ(ParseObjective("p50=1s")->max_errors, 0.001);
}

TEST(ObjectiveTest, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "p99", "p99=", "p99=50", "p99=0ms", "p99=-5ms", "p99=61s", "p0=1s",
        "p100=1s", "p=1s", "99=1s", "errors=1%", "p99=1s,errors=1",
        "p99=1s,errors=101%", "p99=1s,,", "p99=nanms", "pnan=1s", "p99=1s;"}) {
    EXPECT_EQ(ParseObjective(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

// Ninety calls of 10 ms and ten of 90 ms.
LoadResult Result() {
  LoadResult result;
  for (int i = 0; i < 100; ++i) {
    result.latency.Record(milliseconds(i < 90 ? 10 : 90));
  }
  result.planned = 100;
  return result;
}

TEST(ObjectiveTest, EveryGoalMustBeMet) {
  EXPECT_TRUE(Meets(*ParseObjective("p90=10ms"), Result()));
  EXPECT_FALSE(Meets(*ParseObjective("p90=9ms"), Result()));
  EXPECT_FALSE(Meets(*ParseObjective("p91=50ms"), Result()));
  EXPECT_TRUE(Meets(*ParseObjective("p90=10ms,p99=100ms"), Result()));
  EXPECT_FALSE(Meets(*ParseObjective("p90=10ms,p99=80ms"), Result()));
}

TEST(ObjectiveTest, FailedAndDroppedCallsCountAgainstTheErrors) {
  LoadResult result = Result();
  result.planned = 1000;
  result.failed = 3;
  result.dropped = 2;
  EXPECT_TRUE(Meets(*ParseObjective("p50=1s,errors=0.5%"), result));
  EXPECT_FALSE(Meets(*ParseObjective("p50=1s,errors=0.4%"), result));
}

TEST(ObjectiveTest, WithoutAnAnswerNothingIsMet) {
  EXPECT_FALSE(Meets(*ParseObjective("p50=1s,errors=100%"), LoadResult()));
}

TEST(ObjectiveTest, EachGoalSaysHowItStands) {
  const auto goals = Judge(*ParseObjective("p90=20ms,p99=50ms"), Result());
  ASSERT_EQ(goals.size(), 3u);
  EXPECT_EQ(goals[0].name, "p90");
  EXPECT_TRUE(goals[0].met);
  EXPECT_EQ(goals[1].name, "p99");
  EXPECT_NEAR(goals[1].value, 90, 0.1);
  EXPECT_FALSE(goals[1].met);
  EXPECT_EQ(goals[2].name, "errors");
  EXPECT_TRUE(goals[2].met);
}

}  // namespace
}  // namespace groupmamba::client
