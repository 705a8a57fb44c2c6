#include "client/plan/simulate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "client/plan/replicas.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Profile MakeProfile(int one_ms, int most_ms, int max_batch) {
  Profile profile;
  profile.batch_times = {{1, milliseconds(one_ms)}};
  profile.batch_times[max_batch] = milliseconds(most_ms);
  profile.strays = 0;
  profile.transport = {};
  profile.policy.max_batch = max_batch;
  return profile;
}

// What calls take at one server with a fixed service time, by D. V. Lindley's
// recursion: who comes waits for what is left of the work of those before him.
double LindleyMs(double rate, double service_ms, double quantile) {
  std::mt19937_64 random(99);
  std::exponential_distribution<double> gap_s(rate);
  std::vector<double> took_ms;
  double wait_ms = 0;
  for (int i = 0; i < 300'000; ++i) {
    took_ms.push_back(wait_ms + service_ms);
    wait_ms = std::max(0., wait_ms + service_ms - 1000 * gap_s(random));
  }
  std::sort(took_ms.begin(), took_ms.end());
  return took_ms[static_cast<size_t>(quantile * took_ms.size())];
}

TEST(SimulateTest, AgreesWithTheTheoryOfOneServerWithFixedTimes) {
  for (double rate : {20, 50, 80}) {
    const SimulatedResult result =
        Simulate(MakeProfile(10, 10, 1),
                 {.rate = rate, .deadline = seconds(60), .calls = 300'000});
    EXPECT_NEAR(result.busy, rate / 100, 0.01);
    EXPECT_NEAR(result.answered_per_s, rate, rate / 100);
    const double p50 = LindleyMs(rate, 10, 0.5);
    const double p99 = LindleyMs(rate, 10, 0.99);
    EXPECT_NEAR(ToMilliseconds(result.latency.Quantile(0.5)), p50, 0.05 * p50)
        << rate;
    EXPECT_NEAR(ToMilliseconds(result.latency.Quantile(0.99)), p99, 0.05 * p99)
        << rate;
    EXPECT_EQ(result.batch_size, 1);
  }
}

TEST(SimulateTest, ALoneCallTakesItsDecodingItsBatchAndTheWay) {
  Profile profile = MakeProfile(10, 12, 8);
  profile.decode = milliseconds(3);
  profile.transport = milliseconds(1);
  const SimulatedResult result =
      Simulate(profile, {.rate = 0.01, .calls = 100});
  EXPECT_NEAR(ToMilliseconds(result.latency.Quantile(0.99)), 14, 0.01);
  EXPECT_EQ(result.lost, 0);
}

TEST(SimulateTest, BatchesGrowWithTheLoad) {
  const Profile profile = MakeProfile(10, 10, 8);
  const SimulatedResult low = Simulate(profile, {.rate = 50});
  const SimulatedResult high = Simulate(profile, {.rate = 700});
  EXPECT_LT(low.batch_size, 2);
  EXPECT_GT(high.batch_size, 6);
  EXPECT_NEAR(high.answered_per_s, 700, 20);
}

TEST(SimulateTest, WithTenTimesTheLoadItAnswersAllItCan) {
  const SimulatedResult result =
      Simulate(MakeProfile(10, 10, 8), {.rate = 8000, .calls = 100'000});
  EXPECT_GT(result.answered_per_s, 0.95 * 800);
  EXPECT_LE(result.latency.Quantile(0.99), seconds(1));
}

TEST(SimulateTest, InstancesShareTheLoad) {
  Profile profile = MakeProfile(10, 10, 1);
  profile.instances = 2;
  const SimulatedResult result = Simulate(profile, {.rate = 150});
  EXPECT_NEAR(result.answered_per_s, 150, 5);
  EXPECT_NEAR(result.busy, 0.75, 0.03);
}

TEST(SimulateTest, DecodersCanBeTheBottleneck) {
  Profile profile = MakeProfile(1, 1, 8);
  profile.decode = milliseconds(10);
  profile.decode_threads = 2;
  const SimulatedResult result = Simulate(profile, {.rate = 150});
  EXPECT_NEAR(result.answered_per_s, 150, 5);
  EXPECT_GT(result.latency.Quantile(0.99), milliseconds(20));
}

TEST(SimulateTest, IsTheSameForTheSameSeed) {
  const Profile profile = MakeProfile(10, 15, 8);
  const SimulatedLoad load{.rate = 300, .calls = 2000, .seed = 7};
  EXPECT_EQ(Simulate(profile, load).latency.Quantile(0.99),
            Simulate(profile, load).latency.Quantile(0.99));
}

TEST(ReplicasTest, AsManyAsHoldAndNoFewer) {
  const Profile profile = MakeProfile(10, 10, 8);
  const SimulatedLoad load{.rate = 5000};
  const Objective objective{.latencies = {{0.99, milliseconds(30)}}};
  const Replicas replicas = FindReplicas(profile, load, objective);
  // One server answers 800 a second at most.
  EXPECT_GE(replicas.count, 7);
  EXPECT_LE(replicas.count, 14);
  EXPECT_TRUE(Holds(objective, replicas.each));
  EXPECT_FALSE(
      Holds(objective, SimulateReplicas(profile, load, replicas.count - 1)));
}

TEST(ReplicasTest, WhatEvenAnIdleServerMissesNoNumberHolds) {
  EXPECT_EQ(FindReplicas(MakeProfile(10, 10, 8), {.rate = 100, .calls = 1000},
                         {.latencies = {{0.99, milliseconds(9)}}})
                .count,
            0);
}

}  // namespace
}  // namespace groupmamba::client
