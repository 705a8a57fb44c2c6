#include "client/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace groupmamba::client {
namespace {

TEST(EvaluationTest, TopOneIsTheFirstAndTopFiveAnyOfFive) {
  Evaluation evaluation({"a", "b", "c", "d", "e", "f", "g"});
  evaluation.Add(0, {0, 1, 2, 3, 4});
  evaluation.Add(0, {1, 2, 3, 4, 0});
  evaluation.Add(0, {1, 2, 3, 4, 5, 0});  // sixth: too late
  evaluation.Add(1, {1});
  EXPECT_EQ(evaluation.total().images, 4);
  EXPECT_DOUBLE_EQ(evaluation.total().top1(), 0.5);
  EXPECT_DOUBLE_EQ(evaluation.total().top5(), 0.75);
  EXPECT_DOUBLE_EQ(evaluation.per_class()[0].top1(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(evaluation.per_class()[1].top1(), 1);
  EXPECT_EQ(evaluation.per_class()[2].images, 0);
  EXPECT_DOUBLE_EQ(evaluation.per_class()[2].top1(), 0);
}

TEST(EvaluationTest, ConfusionCountsTheFirstPrediction) {
  Evaluation evaluation({"a", "b", "c"});
  evaluation.Add(0, {1, 0});
  evaluation.Add(0, {1, 0});
  evaluation.Add(2, {0});
  evaluation.Add(1, {1});
  EXPECT_EQ(evaluation.Count(0, 1), 2);
  EXPECT_EQ(evaluation.Count(1, 0), 0);
  EXPECT_EQ(evaluation.Count(1, 1), 1);
  const auto top = evaluation.TopConfusions(1);
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(top[0].truth, 0);
  EXPECT_EQ(top[0].predicted, 1);
  EXPECT_EQ(top[0].images, 2);
  EXPECT_EQ(evaluation.TopConfusions(9).size(), 2u);
  EXPECT_EQ(evaluation.Cells().size(), 3u);
}

TEST(EvaluationTest, FailuresAreCountedByCodeAndInNoAccuracy) {
  Evaluation evaluation({"a", "b"});
  evaluation.Add(0, {0});
  evaluation.AddFailure(absl::InvalidArgumentError("first"));
  evaluation.AddFailure(absl::InvalidArgumentError("second"));
  EXPECT_EQ(evaluation.failed(), 2);
  EXPECT_DOUBLE_EQ(evaluation.total().top1(), 1);
  const auto& failure =
      evaluation.failures().at(absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(failure.first, 2);
  EXPECT_EQ(failure.second, "first");
}

TEST(EvaluationTest, AnswersThatTheModelCannotGiveAreWrongAndHarmless) {
  Evaluation evaluation({"a", "b"});
  evaluation.Add(0, {});
  evaluation.Add(0, {17});
  evaluation.Add(0, {-1, 0});
  EXPECT_EQ(evaluation.total().images, 3);
  EXPECT_EQ(evaluation.total().top1_hits, 0);
  EXPECT_EQ(evaluation.total().top5_hits, 1);
  EXPECT_TRUE(evaluation.Cells().empty());
}

}  // namespace
}  // namespace groupmamba::client
