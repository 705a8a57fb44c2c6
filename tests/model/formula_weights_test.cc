#include "model/formula_weights.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/safetensors.h"

namespace groupmamba {
namespace {

using ::testing::ElementsAre;
using Shape = std::vector<int64_t>;

// First and last element with seed 7, computed by a program in another
// language: one name for each line of the formula's table.
struct Expected {
  const char* name;
  Shape shape;
  float first;
  float last;
};

const Expected kExpected[] = {
    {"block1.0.attn.mamba_g1.A_logs", {16, 1}, -0.339354098f, 0.428636134f},
    {"block1.0.attn.mamba_g1.Ds", {16}, 1.14264536f, 1.09955657f},
    {"block1.0.attn.skip_scale", {1}, 1.00163674f, 1.00163674f},
    {"block1.0.attn.mamba_g1.dt_projs_bias",
     {1, 16},
     -4.34947824f,
     -4.09092379f},
    {"block2.0.attn.mamba_g1.dt_projs_weight",
     {1, 32, 2},
     -0.214027599f,
     0.673365295f},
    {"patch_embed1.conv.1.running_mean", {32}, -0.0120675443f, 0.0735077709f},
    {"patch_embed1.conv.1.running_var", {32}, 0.983946383f, 1.28598523f},
    {"head.bias", {1000}, 0.0131887021f, -0.00119401817f},
    {"norm1.weight", {64}, 0.905131757f, 1.00205231f},
    {"patch_embed1.conv.0.weight", {32, 3, 7, 7}, 0.12705721f, 0.086011f},
    {"block1.0.attn.mamba_g1.x_proj_weight",
     {1, 3, 16},
     0.17566736f,
     0.358929276f},
    {"block1.0.attn.proj.weight", {64, 64}, -0.0371834151f, 0.0384548381f},
    {"block1.0.mlp.fc2.weight", {64, 512}, 0.0129191214f, -0.0131011708f},
    {"block1.0.mlp.fc1.weight", {512, 64}, 0.0873582363f, 0.177927807f},
};

TEST(FormulaTensor, EqualsAnIndependentComputation) {
  for (const Expected& expected : kExpected) {
    const auto values = FormulaTensor(expected.name, expected.shape, 7);
    ASSERT_TRUE(values.ok()) << values.status();
    int64_t elements = 1;
    for (const int64_t dimension : expected.shape) elements *= dimension;
    ASSERT_EQ(values->size(), static_cast<size_t>(elements)) << expected.name;
    EXPECT_EQ(values->front(), expected.first) << expected.name;
    EXPECT_EQ(values->back(), expected.last) << expected.name;
  }
}

TEST(FormulaTensor, HasNoValuesForOtherNames) {
  for (const char* name :
       {"patch_embed1.conv.1.num_batches_tracked", "input", "", "weights"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(FormulaTensor(name, {}, 1).status()))
        << name;
  }
}

class GoldenInput : public ::testing::TestWithParam<const char*> {};

// The reference wrote down what it saw; the seed and the size are in its file.
TEST_P(GoldenInput, EqualsTheReferenceAtTheSampleIndices) {
  const auto file = SafetensorsFile::Read(absl::StrCat(
      GM_SOURCE_DIR, "/tests/data/golden/", GetParam(), ".safetensors"));
  ASSERT_TRUE(file.ok()) << file.status();
  const bool oblong = std::string(GetParam()) == "tiny_192x256";
  const auto input = FormulaInput(2, oblong ? 192 : 224, oblong ? 256 : 224,
                                  std::stoull(file->metadata().at("seed")));
  const TensorBytes& sample = file->tensors().at("input.sample");
  const auto indices = GoldenSampleIndices(static_cast<int64_t>(input.size()));
  std::vector<float> expected(indices.size());
  ASSERT_EQ(sample.dtype, DType::kF32);
  ASSERT_EQ(sample.bytes.size(), expected.size() * sizeof(float));
  std::memcpy(expected.data(), sample.bytes.data(), sample.bytes.size());
  for (size_t k = 0; k < indices.size(); ++k) {
    EXPECT_FLOAT_EQ(input[indices[k]], expected[k]) << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenInput,
                         ::testing::Values("tiny", "small", "base",
                                           "tiny_192x256"),
                         [](const auto& info) { return info.param; });

TEST(FormulaInput, DependsOnTheSeed) {
  EXPECT_EQ(FormulaInput(1, 2, 2, 5), FormulaInput(1, 2, 2, 5));
  EXPECT_NE(FormulaInput(1, 2, 2, 5), FormulaInput(1, 2, 2, 6));
}

TEST(GoldenSampleIndices, StepByThePrimeAndWrap) {
  const auto indices = GoldenSampleIndices(1000);
  EXPECT_EQ(indices.size(), 64u);
  EXPECT_THAT(std::vector<int64_t>(indices.begin(), indices.begin() + 4),
              ElementsAre(0, 761, 522, 283));
  EXPECT_EQ(GoldenSampleIndices(1), std::vector<int64_t>(64, 0));
}

}  // namespace
}  // namespace groupmamba
