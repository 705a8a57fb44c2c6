#include "client/evaluate_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

Evaluation Example() {
  Evaluation evaluation({"Shirt", "Ankle boot", "Bag"});
  for (int i = 0; i < 3; ++i) evaluation.Add(0, {0, 1, 2});
  evaluation.Add(0, {2, 0, 1});
  for (int i = 0; i < 1200; ++i) evaluation.Add(1, {1});
  evaluation.AddFailure(absl::InvalidArgumentError("not a picture"));
  return evaluation;
}

TEST(EvaluateOutputTest, JsonHasTheDocumentedKeys) {
  EXPECT_EQ(
      EvaluateJson(Example(), seconds(2)),
      R"({"images":1204,"top1":0.999169,"top5":1.0,)"
      R"("per_class":{"Shirt":{"images":4,"top1":0.75,"top5":1.0},)"
      R"("Ankle boot":{"images":1200,"top1":1.0,"top5":1.0}},)"
      R"("confusion":{"Shirt":{"Shirt":3,"Bag":1},"Ankle boot":{"Ankle boot":1200}},)"
      R"("failed":1,"failures":{"INVALID_ARGUMENT":1},)"
      R"("seconds":2.0,"images_per_s":602.0})");
}

TEST(EvaluateOutputTest, TextHasAccuracyClassesMatrixAndConfusions) {
  EXPECT_EQ(
      EvaluateText(Example(), seconds(2)),
      "1,204 pictures in 2.00 s (602 pictures/s)\n"
      "1 failed and count in no figure: INVALID_ARGUMENT: not a picture\n"
      "top-1  99.92 %\n"
      "top-5  100.00 %\n"
      "\n"
      "CLASS       PICTURES    TOP-1    TOP-5\n"
      "Shirt              4   75.0 %  100.0 %\n"
      "Ankle boot     1,200  100.0 %  100.0 %\n"
      "\n"
      "Confusion: a row for each folder, a column for each first prediction\n"
      "                    0      1      2\n"
      " 0  Shirt           3      .      1\n"
      " 1  Ankle boot      .  1,200      .\n"
      " 2  Bag             .      .      .\n"
      "\n"
      "Most frequent confusions\n"
      "     1  Shirt taken for Bag (25.0 % of Shirt)\n");
}

TEST(EvaluateOutputTest, OfManyClassesOnlyTheWorstAreListed) {
  std::vector<std::string> labels;
  for (int i = 0; i < 30; ++i) labels.push_back(absl::StrCat("class", i));
  Evaluation evaluation(labels);
  for (int i = 0; i < 30; ++i) evaluation.Add(i, {i == 17 ? 3 : i});
  const std::string text = EvaluateText(evaluation, seconds(1));
  EXPECT_THAT(text, HasSubstr("The 10 worst of 30 classes:\n"
                              "CLASS    PICTURES    TOP-1    TOP-5\n"
                              "class17         1    0.0 %    0.0 %\n"
                              "class0 "));
  EXPECT_THAT(text, Not(HasSubstr("class29")));
  EXPECT_THAT(text, Not(HasSubstr("Confusion:")));
}

TEST(EvaluateOutputTest, WithoutAnAnswerThereIsNoAccuracy) {
  Evaluation evaluation({"a"});
  evaluation.AddFailure(absl::UnavailableError("draining"));
  EXPECT_EQ(EvaluateText(evaluation, milliseconds(500)),
            "0 pictures in 0.50 s (0.00 pictures/s)\n"
            "1 failed and count in no figure: UNAVAILABLE: draining\n");
}

TEST(EvaluateOutputTest, ProgressTellsRateAndTimeLeft) {
  EXPECT_EQ(ProgressText(2500, 10000, seconds(5)),
            "   2,500 / 10,000  ██████                     25.0 %  500 "
            "pictures/s  15.0 s left");
  EXPECT_EQ(ProgressText(0, 8, seconds(0)),
            "  0 / 8                              0.0 %");
}

}  // namespace
}  // namespace groupmamba::client
