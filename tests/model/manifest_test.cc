#include "model/manifest.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace groupmamba {
namespace {

using Kind = ParameterSpec::Kind;
using Shape = std::vector<int64_t>;
using ::testing::ElementsAre;

class PublishedManifest : public ::testing::TestWithParam<const char*> {};

TEST_P(PublishedManifest, EqualsTheReleasedStateDictInNamesShapesAndOrder) {
  std::ifstream file(absl::StrCat(GM_SOURCE_DIR, "/tests/data/golden/",
                                  GetParam(), ".keys.json"));
  const auto released = nlohmann::ordered_json::parse(file);
  const auto specs = ListParameters(*PublishedVariant(GetParam()));
  ASSERT_EQ(specs.size(), released.size());
  size_t i = 0;
  for (const auto& [name, shape] : released.items()) {
    EXPECT_EQ(specs[i].name, name) << i;
    EXPECT_EQ(specs[i].shape, shape.get<Shape>()) << name;
    ++i;
  }
}

TEST_P(PublishedManifest, OnlyBatchNormsHaveBuffersAndCounters) {
  std::map<Kind, int> count;
  for (const auto& spec : ListParameters(*PublishedVariant(GetParam()))) {
    ++count[spec.kind];
    EXPECT_EQ(spec.kind == Kind::kCounter,
              absl::EndsWith(spec.name, ".num_batches_tracked"))
        << spec.name;
    EXPECT_EQ(spec.kind == Kind::kBuffer,
              absl::StrContains(spec.name, ".running_"))
        << spec.name;
  }
  EXPECT_EQ(count[Kind::kBuffer], 6);
  EXPECT_EQ(count[Kind::kCounter], 3);
}

INSTANTIATE_TEST_SUITE_P(Variants, PublishedManifest,
                         ::testing::Values("tiny", "small", "base"),
                         [](const auto& info) { return info.param; });

// The paper says 23, 34 and 57 million; the exact sums are of the key lists.
TEST(CountParameters, CountsWhatIsTrained) {
  EXPECT_EQ(CountParameters(*PublishedVariant("tiny")), 23'361'917);
  EXPECT_EQ(CountParameters(*PublishedVariant("small")), 34'781'555);
  EXPECT_EQ(CountParameters(*PublishedVariant("base")), 57'150'838);
}

ModelConfig SmallPaperConfig() {
  ModelConfig config;
  config.block = BlockForm::kPaper;
  config.stem_width = 6;
  config.widths = {8, 16, 36, 68};
  config.depths = {1, 2, 1, 1};
  config.mlp_ratios = {3, 3, 3, 2};
  config.classes = 10;
  return config;
}

TEST(PaperManifest, BlockHoldsFourVsssThenAffinityNormAndOuterMlp) {
  std::vector<std::string> names;
  std::map<std::string, Shape> shapes;
  for (const auto& spec : ListParameters(SmallPaperConfig())) {
    shapes[spec.name] = spec.shape;
    if (absl::StartsWith(spec.name, "block4.0.") &&
        !absl::StrContains(spec.name, "vsss_g")) {
      names.push_back(spec.name);
    }
  }
  EXPECT_THAT(names,
              ElementsAre("block4.0.fc1.weight", "block4.0.fc1.bias",
                          "block4.0.fc2.weight", "block4.0.fc2.bias",
                          "block4.0.norm.weight", "block4.0.norm.bias",
                          "block4.0.mlp.fc1.weight", "block4.0.mlp.fc1.bias",
                          "block4.0.mlp.fc2.weight", "block4.0.mlp.fc2.bias"));
  EXPECT_EQ(shapes["block4.0.fc1.weight"], Shape({4, 68}));
  EXPECT_EQ(shapes["block4.0.mlp.fc1.weight"], Shape({136, 68}));
  for (int group = 1; group <= kGroups; ++group) {
    const std::string vsss = absl::StrCat("block4.0.vsss_g", group);
    EXPECT_EQ(shapes[vsss + ".norm1.weight"], Shape({17})) << vsss;
    EXPECT_EQ(shapes[vsss + ".mamba.in_proj.weight"], Shape({34, 17}));
    EXPECT_EQ(shapes[vsss + ".mamba.x_proj_weight"], Shape({1, 4, 17}));
    EXPECT_EQ(shapes[vsss + ".mamba.dt_projs_weight"], Shape({1, 17, 2}));
    EXPECT_EQ(shapes[vsss + ".norm2.bias"], Shape({17}));
    EXPECT_EQ(shapes[vsss + ".ffn.fc1.weight"], Shape({34, 17}));
    EXPECT_EQ(shapes[vsss + ".ffn.fc2.weight"], Shape({17, 34}));
  }
}

TEST(PaperManifest, HasOneHeadAndNoClassBlock) {
  for (const auto& spec : ListParameters(SmallPaperConfig())) {
    EXPECT_FALSE(absl::StartsWith(spec.name, "post_network")) << spec.name;
    EXPECT_FALSE(absl::StartsWith(spec.name, "dist_head")) << spec.name;
    EXPECT_FALSE(absl::StrContains(spec.name, "dwconv")) << spec.name;
  }
}

TEST(Manifest, NarrowBlocksKeepOneHiddenUnitInTheAffinity) {
  ModelConfig config = SmallPaperConfig();
  config.widths = {4, 4, 4, 4};
  for (const BlockForm form : {BlockForm::kPaper, BlockForm::kReleased}) {
    config.block = form;
    for (const auto& spec : ListParameters(config)) {
      EXPECT_TRUE(std::all_of(spec.shape.begin(), spec.shape.end(),
                              [](int64_t d) { return d > 0; }))
          << spec.name;
    }
  }
}

TEST(Manifest, NamesAreUnique) {
  for (const auto& config : {SmallPaperConfig(), *PublishedVariant("tiny")}) {
    std::vector<std::string> names;
    for (const auto& spec : ListParameters(config)) names.push_back(spec.name);
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  }
}

}  // namespace
}  // namespace groupmamba
