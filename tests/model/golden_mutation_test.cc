// The goldens bite: a network that is wrong in one place does not pass them.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "tests/model/golden_comparison.h"

namespace groupmamba {
namespace {

constexpr char kGolden[] =
    GM_SOURCE_DIR "/tests/data/golden/tiny_192x256.safetensors";

// What the golden says of a network built by `spec`.
std::vector<std::string> FaultsOf(const BlockSpec& spec) {
  const absl::StatusOr<GoldenReport> report = CompareWithGolden(kGolden, spec);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? report->faults : std::vector<std::string>();
}

TEST(GoldenMutation, ControlPasses) {
  EXPECT_EQ(absl::StrJoin(FaultsOf(SpecOf(BlockForm::kReleased)), "\n"), "");
}

TEST(GoldenMutation, SwappedDirectionsFail) {
  BlockSpec spec = SpecOf(BlockForm::kReleased);
  std::swap(spec.directions[0], spec.directions[2]);
  EXPECT_FALSE(FaultsOf(spec).empty());
}

TEST(GoldenMutation, PapersOrderOfDirectionsFails) {
  EXPECT_FALSE(FaultsOf(SpecOf(BlockForm::kPaper)).empty());
}

TEST(GoldenMutation, LargerEpsilonOfTheLayersNormFails) {
  BlockSpec spec = SpecOf(BlockForm::kReleased);
  spec.layer_norm_epsilon = 1e-2;
  EXPECT_FALSE(FaultsOf(spec).empty());
}

TEST(GoldenMutation, LargerEpsilonOfTheBranchNormsFails) {
  BlockSpec spec = SpecOf(BlockForm::kReleased);
  spec.branch_norm_epsilon = 1e-2;
  EXPECT_FALSE(FaultsOf(spec).empty());
}

TEST(GoldenMutation, DroppedSecondNormOfTheLayerFails) {
  BlockSpec spec = SpecOf(BlockForm::kReleased);
  spec.norm_before_projection = false;
  EXPECT_FALSE(FaultsOf(spec).empty());
}

}  // namespace
}  // namespace groupmamba
