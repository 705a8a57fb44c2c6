#include "server/top_k.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

std::vector<int> Indices(const std::vector<ScoredClass>& top) {
  std::vector<int> indices;
  for (const ScoredClass& scored : top) indices.push_back(scored.index);
  return indices;
}

TEST(TopKTest, GivesTheMostProbableFirstWithTheirSoftmax) {
  const std::vector<float> logits = {std::log(1.f), std::log(5.f),
                                     std::log(2.f)};
  const auto top = TopK(logits, 2);
  ASSERT_TRUE(top.ok());
  EXPECT_EQ(Indices(*top), (std::vector<int>{1, 2}));
  EXPECT_FLOAT_EQ((*top)[0].probability, 5.f / 8);
  EXPECT_FLOAT_EQ((*top)[1].probability, 2.f / 8);
}

TEST(TopKTest, TiesGoInTheOrderOfTheIndex) {
  const std::vector<float> logits = {1, 3, 3, 1, 3};
  EXPECT_EQ(Indices(*TopK(logits, 4)), (std::vector<int>{1, 2, 4, 0}));
}

TEST(TopKTest, MoreThanThereAreIsCut) {
  EXPECT_EQ(TopK(std::vector<float>{1, 2}, 1000)->size(), 2u);
}

TEST(TopKTest, HugeLogitsDoNotOverflow) {
  const std::vector<float> logits = {3e38f, 3e38f, -3e38f};
  const auto top = TopK(logits, 3);
  ASSERT_TRUE(top.ok());
  EXPECT_FLOAT_EQ((*top)[0].probability, 0.5f);
  EXPECT_FLOAT_EQ((*top)[1].probability, 0.5f);
  EXPECT_FLOAT_EQ((*top)[2].probability, 0.f);
}

TEST(TopKTest, ProbabilitiesOfAllClassesSumToOne) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = std::sin(static_cast<float>(i)) * 10;
  }
  double sum = 0;
  const auto top = TopK(logits, 1000);
  ASSERT_TRUE(top.ok());
  for (const ScoredClass& scored : *top) {
    sum += scored.probability;
  }
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(TopKTest, ALogitThatIsNotFiniteIsTheModelsFailure) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    const absl::Status status = TopK(std::vector<float>{0, bad, 1}, 1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(status.message().substr(0, 10), "bad_output");
  }
}

}  // namespace
}  // namespace groupmamba
