#include "client/load/slo_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "client/load/runner.h"
#include "tests/client/load/simulation.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A trial of a rate that meets the objective up to `limit`, without noise.
std::function<Trial(double)> Step(double limit) {
  return [limit](double rate) {
    const bool met = rate <= limit;
    return Trial{.rate = rate,
                 .met = met,
                 .windows = 5,
                 .windows_met = met ? 5 : 0,
                 .stable = true};
  };
}

TEST(SloSearchTest, FindsTheLimitFromBelowAndFromAbove) {
  for (const double start : {1.0, 123.0, 50000.0}) {
    const SearchResult found = FindHighestRate({.start = start}, Step(123));
    EXPECT_LE(found.rate, 123) << start;
    EXPECT_GE(found.rate, 123 / 1.02) << start;
    EXPECT_LE(found.low, found.rate);
    EXPECT_GE(found.high, 123);
    EXPECT_LE(found.high, 123 * 1.1);
    EXPECT_GE(found.low, 123 / 1.1);
    EXPECT_LE(found.trials.size(), 25u) << start;
  }
}

TEST(SloSearchTest, EndsWhereEveryRateMeetsTheObjectiveOrNoneDoes) {
  const SearchResult all =
      FindHighestRate({.start = 10, .highest = 1000}, Step(1e9));
  EXPECT_EQ(all.rate, 1000);
  EXPECT_EQ(all.high, 0);
  const SearchResult none =
      FindHighestRate({.start = 10, .lowest = 1}, Step(0));
  EXPECT_EQ(none.rate, 0);
  EXPECT_EQ(none.high, 0);
  EXPECT_EQ(none.trials.back().rate, 1);
}

TEST(SloSearchTest, AnUnstableRateIsAskedForAgainAndJudgedByAllWindows) {
  int asked = 0;
  const SearchResult found =
      FindHighestRate({.start = 100, .highest = 100}, [&asked](double rate) {
        ++asked;
        // Missed at first, but met by most windows of all.
        return Trial{.rate = rate,
                     .met = asked > 1,
                     .windows = 5,
                     .windows_met = asked == 1 ? 2 : 4,
                     .stable = asked == 3};
      });
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(found.rate, 100);
}

TEST(SloSearchTest, WhatThisMachineCannotOfferIsNoRateOfTheServers) {
  const SearchResult found = FindHighestRate({.start = 100}, [](double rate) {
    Trial trial = Step(1e9)(rate);
    trial.client_limited = rate > 500;
    return trial;
  });
  EXPECT_TRUE(found.client_limited);
  EXPECT_LE(found.rate, 500);
  EXPECT_GE(found.rate, 500 / 1.02);
  EXPECT_EQ(found.high, 0);
}

TEST(SloSearchTest, ABacklogThatGrowsMissesTheObjective) {
  // 105 calls/s to a server that does 100: the mean wait of 10 s is 0.25 s.
  LoadResult result(TimePoint{}, seconds(10));
  for (int i = 0; i < 1050; ++i) {
    const TimePoint due{Duration(seconds(10)) * i / 1050};
    result.AddPlanned(due, true);
    result.AddAnswer(
        {.due = due, .sent = due, .done = due + milliseconds(i / 2)},
        LoadAnswer(), true);
  }
  const Trial trial = JudgeTrial(*ParseObjective("p90=480ms"), 105, result);
  EXPECT_FALSE(trial.met);
  EXPECT_EQ(trial.windows, 5);
  EXPECT_EQ(trial.windows_met, 4);
  EXPECT_FALSE(trial.stable);
}

// One server that takes 5 ms a call, one after the other.
class OneServer : public Simulation {
 public:
  OneServer() {
    service = [this](int64_t) {
      free_ = std::max(free_, Now()) + milliseconds(5);
      return free_ - Now();
    };
  }

 private:
  TimePoint free_{};
};

TEST(SloSearchTest, RepeatedWithOtherSeedsItAgreesWithinFiveHundredths) {
  const Objective objective = *ParseObjective("p99=50ms");
  std::vector<double> rates;
  for (const uint64_t seed : {1000u, 2000u, 3000u}) {
    LoadPlan plan;
    plan.open = true;
    plan.seed = seed;
    plan.warmup = seconds(2);
    plan.duration = seconds(60);
    const SearchResult found = FindHighestRate({.start = 50}, [&](double rate) {
      plan.rate = rate;
      ++plan.seed;
      OneServer server;
      return JudgeTrial(objective, rate, RunLoad(plan, &server, &server));
    });
    rates.push_back(found.rate);
    EXPECT_LE(found.low, found.rate);
    EXPECT_GE(found.high, found.rate);
  }
  const auto [low, high] = std::minmax_element(rates.begin(), rates.end());
  EXPECT_LE(*high, *low * 1.05)
      << rates[0] << " " << rates[1] << " " << rates[2];
  // In a queue of this kind 1 % of the calls take longer than 50 ms at 0.777 of
  // what the server can do (1.5 million calls, simulated apart).
  EXPECT_GT(*low, 0.74 * 200);
  EXPECT_LT(*high, 0.82 * 200);
}

}  // namespace
}  // namespace groupmamba::client
