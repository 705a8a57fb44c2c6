#include "model/weights.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formula_weights.h"
#include "model/manifest.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using testing::ReadFileForTest;
using testing::TempDir;

// The smallest model that there is, in the released form: it has counters.
ModelConfig SmallConfig() {
  ModelConfig config = *PublishedVariant("tiny");
  config.stem_width = 2;
  config.widths = {4, 4, 4, 4};
  config.depths = {1, 1, 1, 1};
  config.mlp_ratios = {1, 1, 1, 1};
  config.classes = 2;
  return config;
}

// Everything that can be wrong with one model's tensors before they are
// written.
struct Contents {
  std::map<std::string, std::vector<float>> floats;
  std::map<std::string, TensorBytes> tensors;  // point into `floats`
};

struct Fault {
  const char* name;
  std::function<void(Contents&)> apply;
  const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class ReadWeightsTest : public ::testing::Test {
 protected:
  ReadWeightsTest() {
    contents_.floats = *FormulaWeights(SmallConfig(), 1);
    for (const ParameterSpec& spec : ListParameters(SmallConfig())) {
      if (spec.kind == ParameterSpec::Kind::kCounter) continue;
      contents_.tensors[spec.name] =
          ViewOf(contents_.floats.at(spec.name), spec.shape);
    }
  }

  // Writes weights, configuration and labels as they belong together.
  ModelFolder WriteFolder() {
    ModelFolder folder;
    folder.path = dir_.path();
    folder.config = SmallConfig();
    folder.config.weights_sha256 =
        *WriteSafetensors(WeightsPath(), contents_.tensors, {});
    return folder;
  }

  std::string WeightsPath() const { return dir_.Path("model.safetensors"); }

  const TempDir dir_;
  Contents contents_;
};

class WeightsFault : public ReadWeightsTest,
                     public ::testing::WithParamInterface<Fault> {};

TEST_P(WeightsFault, IsReportedWithTheTensorsName) {
  GetParam().apply(contents_);
  const auto file = ReadWeights(WriteFolder());
  EXPECT_TRUE(absl::IsFailedPrecondition(file.status())) << file.status();
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(GetParam().says));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr(WeightsPath()));
}

const Fault kFaults[] = {
    {"Missing",
     [](Contents& c) { c.tensors.erase("block3.0.attn.skip_scale"); },
     "tensor \"block3.0.attn.skip_scale\" is missing"},
    {"BufferMissing",
     [](Contents& c) { c.tensors.erase("patch_embed1.conv.1.running_var"); },
     "tensor \"patch_embed1.conv.1.running_var\" is missing"},
    {"Surplus",
     [](Contents& c) { c.tensors["head2.bias"] = c.tensors["head.bias"]; },
     "tensor \"head2.bias\" is not part of such a model"},
    {"SurplusNameIsEscaped",
     [](Contents& c) { c.tensors["a\nb"] = c.tensors["head.bias"]; },
     "tensor \"a\\nb\" is not part"},
    {"Shape",
     [](Contents& c) {
       c.tensors["head.weight"].shape = {4, 2};
     },
     "tensor \"head.weight\" has shape [4, 2], not [2, 4]"},
    {"FlatShape", [](Contents& c) { c.tensors["head.weight"].shape = {8}; },
     "tensor \"head.weight\" has shape [8], not [2, 4]"},
    {"SameBytesOtherType",
     [](Contents& c) { c.tensors["head.bias"].dtype = DType::kI32; },
     "tensor \"head.bias\" is I32, not F32"},
    {"HalfPrecision",
     [](Contents& c) {
       TensorBytes& bias = c.tensors["head.bias"];
       bias.dtype = DType::kBF16;
       bias.bytes = bias.bytes.first(4);
     },
     "tensor \"head.bias\" is BF16, not F32"},
    {"NotANumber",
     [](Contents& c) { c.floats["norm4.weight"][3] = std::nanf(""); },
     "tensor \"norm4.weight\" holds an infinity or NaN"},
    {"InfiniteBuffer",
     [](Contents& c) {
       c.floats["patch_embed1.conv.4.running_mean"][0] =
           -std::numeric_limits<float>::infinity();
     },
     "tensor \"patch_embed1.conv.4.running_mean\" holds an infinity"},
};

INSTANTIATE_TEST_SUITE_P(Faults, WeightsFault, ::testing::ValuesIn(kFaults),
                         [](const auto& info) { return info.param.name; });

TEST_F(ReadWeightsTest, AcceptsWhatTheConfigurationDescribes) {
  const auto file = ReadWeights(WriteFolder());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors().size(), contents_.tensors.size());
}

TEST_F(ReadWeightsTest, CountersMayBeThere) {
  const uint8_t zeros[8] = {};
  contents_.tensors["patch_embed1.conv.1.num_batches_tracked"] = {
      DType::kI64, {}, zeros};
  const auto file = ReadWeights(WriteFolder());
  EXPECT_TRUE(file.ok()) << file.status();
}

TEST_F(ReadWeightsTest, OneFlippedBitIsADifferentHash) {
  const ModelFolder folder = WriteFolder();
  std::string bytes = ReadFileForTest(WeightsPath());
  bytes.back() ^= 1;
  dir_.Write("model.safetensors", bytes);
  const auto file = ReadWeights(folder);
  EXPECT_TRUE(absl::IsFailedPrecondition(file.status()));
  EXPECT_THAT(std::string(file.status().message()),
              HasSubstr(folder.config.weights_sha256));
}

// The hash stands before the parser: bytes that it does not vouch for are not
// parsed.
TEST_F(ReadWeightsTest, AWrongHashIsReportedBeforeABrokenFile) {
  const ModelFolder folder = WriteFolder();
  dir_.Write("model.safetensors", "no safetensors");
  EXPECT_THAT(std::string(ReadWeights(folder).status().message()),
              HasSubstr("SHA-256"));
}

TEST_F(ReadWeightsTest, AMissingFileIsAFailedPrecondition) {
  const ModelFolder folder = WriteFolder();
  std::filesystem::remove(WeightsPath());
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadWeights(folder).status()));
}

}  // namespace
}  // namespace groupmamba
