#include "model/training/curves.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace groupmamba::training {
namespace {

using ::testing::ElementsAre;
using Json = nlohmann::ordered_json;

// Ten steps an epoch.
Json Start(double learning_rate) {
  return {{"event", "start"},
          {"step", 0},
          {"parameters", 7},
          {"train_pictures", 45},
          {"settings",
           {{"batch", 4}, {"learning_rate", learning_rate}, {"seed", 1}}}};
}

Json Step(int step, double loss, double norm) {
  return {{"event", "step"},
          {"step", step},
          {"smoothed_loss", loss},
          {"gradient_norm", norm}};
}

std::vector<double> Numbers(const Json& values) {
  std::vector<double> numbers;
  for (const Json& value : values) {
    numbers.push_back(value.is_null() ? -1 : value.get<double>());
  }
  return numbers;
}

TEST(CurvesJson, AFewStepsAreAllThere) {
  const std::vector<LoggedRun> runs = {
      {"run", {Start(1), Step(1, 4, 1), Step(2, 3, 5), Step(3, 2, 2)}}};
  const Json page = CurvesJson(runs, 100);
  EXPECT_EQ(page["epochs"].size(), 3u);
  EXPECT_DOUBLE_EQ(page["epochs"][2].get<double>(), 3.0 / 11);
  const Json& run = page["runs"][0];
  EXPECT_THAT(Numbers(run["curves"]["loss"]), ElementsAre(4, 3, 2));
  EXPECT_THAT(Numbers(run["curves"]["gradient_norm"]), ElementsAre(1, 5, 2));
  EXPECT_EQ(run["gradient_norm_peak"], 5);
  EXPECT_EQ(run["step"], 3);
}

TEST(CurvesJson, ManyStepsAreFoldedAndNoPeakOfTheGradientIsLost) {
  LoggedRun run = {"run", {Start(1)}};
  for (int step = 1; step <= 1000; ++step) {
    run.lines.push_back(Step(step, step, step == 333 ? 1e4 : 1));
  }
  const Json page = CurvesJson({run}, 10);
  const auto norms = Numbers(page["runs"][0]["curves"]["gradient_norm"]);
  EXPECT_THAT(norms, ElementsAre(1, 1, 1e4, 1, 1, 1, 1, 1, 1, 1));
  const auto losses = Numbers(page["runs"][0]["curves"]["loss"]);
  EXPECT_NEAR(losses[4], 500, 1);  // the mean of 450 to 549
}

TEST(CurvesJson, AShorterRunEndsWhereItEnded) {
  const std::vector<LoggedRun> runs = {
      {"short", {Start(1), Step(1, 4, 1), Step(2, 3, 1)}},
      {"long", {Start(1), Step(1, 4, 1), Step(4, 1, 1)}}};
  const Json page = CurvesJson(runs, 100);
  EXPECT_THAT(Numbers(page["runs"][0]["curves"]["loss"]),
              ElementsAre(4, 3, -1, -1));
  // Between its lines a curve is straight.
  EXPECT_THAT(
      Numbers(page["runs"][1]["curves"]["loss"]),
      ElementsAre(4, ::testing::DoubleEq(3), ::testing::DoubleEq(2), 1));
}

TEST(CurvesJson, NamesTheSettingsInWhichRunsDiffer) {
  const std::vector<LoggedRun> runs = {{"a", {Start(1), Step(1, 4, 1)}},
                                       {"b", {Start(2), Step(1, 4, 1)}}};
  const Json page = CurvesJson(runs, 100);
  EXPECT_EQ(page["runs"][1]["settings"], (Json{{"learning_rate", 2.0}}));
}

TEST(CurvesJson, AGradientThatIsNotFiniteIsAGap) {
  Json overflow = Step(2, 3, 1);
  overflow["gradient_norm"] = nullptr;  // as JSON writes it
  const std::vector<LoggedRun> runs = {
      {"run", {Start(1), Step(1, 4, 1), overflow}}};
  const Json page = CurvesJson(runs, 100);
  EXPECT_THAT(Numbers(page["runs"][0]["curves"]["gradient_norm"]),
              ElementsAre(1, -1));
}

}  // namespace
}  // namespace groupmamba::training
