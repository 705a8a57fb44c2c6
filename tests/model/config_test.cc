#include "model/config.h"

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ModelConfig ValidConfig() {
  ModelConfig config = *PublishedVariant("tiny");
  config.weights_sha256 = std::string(64, 'a');
  return config;
}

json ValidJson() { return json::parse(FormatModelConfig(ValidConfig())); }

TEST(ModelConfig, ComesBackEqualFromItsOwnText) {
  ModelConfig config = ValidConfig();
  config.block = BlockForm::kPaper;
  config.stem_width = 24;
  config.widths = {4, 96, 196, 4096};
  config.depths = {1, 64, 3, 2};
  config.mlp_ratios = {1, 16, 2, 3};
  config.classes = 10;
  config.input = {.resize = 56,
                  .crop = 48,
                  .interpolation = Interpolation::kBilinear,
                  .mean = {0.1f, 1.0f / 3, -0.25f},
                  .std = {0.229f, 1e-3f, 17.0f}};
  const auto parsed = ParseModelConfig(FormatModelConfig(config));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->block, config.block);
  EXPECT_EQ(parsed->stem_width, config.stem_width);
  EXPECT_EQ(parsed->widths, config.widths);
  EXPECT_EQ(parsed->depths, config.depths);
  EXPECT_EQ(parsed->mlp_ratios, config.mlp_ratios);
  EXPECT_EQ(parsed->classes, config.classes);
  EXPECT_EQ(parsed->input.resize, config.input.resize);
  EXPECT_EQ(parsed->input.crop, config.input.crop);
  EXPECT_EQ(parsed->input.interpolation, config.input.interpolation);
  EXPECT_EQ(parsed->input.mean, config.input.mean);
  EXPECT_EQ(parsed->input.std, config.input.std);
  EXPECT_EQ(parsed->labels_file, config.labels_file);
  EXPECT_EQ(parsed->weights_file, config.weights_file);
  EXPECT_EQ(parsed->weights_sha256, config.weights_sha256);
}

TEST(ModelConfig, WritesFloatsAsPeopleDo) {
  EXPECT_THAT(FormatModelConfig(ValidConfig()),
              HasSubstr("\"mean\": [0.485, 0.456, 0.406]"));
}

// One fault in an otherwise valid configuration; the message must hold `says`.
struct Fault {
  const char* name;
  std::function<void(json&)> apply;
  const char* says;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class ModelConfigFault : public ::testing::TestWithParam<Fault> {};

TEST_P(ModelConfigFault, IsAnErrorThatNamesTheKey) {
  json config = ValidJson();
  GetParam().apply(config);
  const auto parsed = ParseModelConfig(config.dump());
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(parsed.status().message()),
              HasSubstr(GetParam().says));
}

const Fault kFaults[] = {
    {"UnknownKey", [](json& c) { c["dropout"] = 0; }, "\"dropout\" is unknown"},
    {"UnknownInputKey", [](json& c) { c["input"]["size"] = 224; },
     "\"input.size\" is unknown"},
    {"UnknownWeightsKey", [](json& c) { c["weights"]["md5"] = ""; },
     "\"weights.md5\" is unknown"},
    {"OddKeyIsEscaped", [](json& c) { c["a\n\x1b[1m"] = 0; },
     "\"a\\n\\x1b[1m\" is unknown"},
    {"MissingBlock", [](json& c) { c.erase("block"); }, "\"block\" is missing"},
    {"MissingMean", [](json& c) { c["input"].erase("mean"); },
     "\"input.mean\" is missing"},
    {"MissingHash", [](json& c) { c["weights"].erase("sha256"); },
     "\"weights.sha256\" is missing"},
    {"OtherArchitecture", [](json& c) { c["architecture"] = "resnet"; },
     "\"architecture\" must be one of: groupmamba"},
    {"OtherBlock", [](json& c) { c["block"] = "new"; },
     "\"block\" must be one of: released, paper"},
    {"BlockNotAString", [](json& c) { c["block"] = 1; },
     "\"block\" must be a string"},
    {"StemZero", [](json& c) { c["stem_width"] = 0; }, "\"stem_width\""},
    {"StemNegative", [](json& c) { c["stem_width"] = -1; }, "\"stem_width\""},
    {"StemFraction", [](json& c) { c["stem_width"] = 32.0; }, "\"stem_width\""},
    {"StemBeyondInt64", [](json& c) { c["stem_width"] = 0xFFFFFFFF00000020; },
     "\"stem_width\""},
    {"WidthNotAMultipleOf4", [](json& c) { c["widths"][2] = 350; },
     "\"widths\" must be whole, from 4 to 4096, a multiple of 4"},
    {"WidthTooLarge", [](json& c) { c["widths"][3] = 4100; }, "\"widths\""},
    {"WidthZero", [](json& c) { c["widths"][0] = 0; }, "\"widths\""},
    {"ThreeWidths", [](json& c) { c["widths"].erase(0); },
     "\"widths\" must be a list of 4"},
    {"WidthsNotAList", [](json& c) { c["widths"] = 64; }, "\"widths\""},
    {"DepthZero", [](json& c) { c["depths"][1] = 0; }, "\"depths\""},
    {"DepthTooLarge", [](json& c) { c["depths"][1] = 65; }, "\"depths\""},
    {"RatioZero", [](json& c) { c["mlp_ratios"][0] = 0; }, "\"mlp_ratios\""},
    {"RatioTooLarge", [](json& c) { c["mlp_ratios"][0] = 17; },
     "\"mlp_ratios\""},
    {"NoClasses", [](json& c) { c["classes"] = 0; }, "\"classes\""},
    {"TooManyClasses", [](json& c) { c["classes"] = 1'000'001; },
     "\"classes\" must be whole, from 1 to 1000000"},
    {"InputNotAnObject", [](json& c) { c["input"] = 224; },
     "\"input\" must be an object"},
    {"ResizeTooSmall", [](json& c) { c["input"]["resize"] = 31; },
     "\"input.resize\" must be whole, from 32 to 2048"},
    {"ResizeTooLarge", [](json& c) { c["input"]["resize"] = 2049; },
     "\"input.resize\""},
    {"CropTooSmall", [](json& c) { c["input"]["crop"] = 31; },
     "\"input.crop\""},
    {"CropBeyondResize", [](json& c) { c["input"]["crop"] = 257; },
     "\"input.crop\" must not be larger"},
    {"OtherInterpolation", [](json& c) { c["input"]["interpolation"] = "box"; },
     "\"input.interpolation\" must be one of: bilinear, bicubic"},
    {"MeanBeyondFloat", [](json& c) { c["input"]["mean"][0] = 1e300; },
     "\"input.mean\""},
    {"MeanNotANumber", [](json& c) { c["input"]["mean"][0] = "0"; },
     "\"input.mean\""},
    {"TwoMeans", [](json& c) { c["input"]["mean"].erase(0); },
     "\"input.mean\" must be a list of 3"},
    {"StdZero", [](json& c) { c["input"]["std"][1] = 0; }, "\"input.std\""},
    {"StdNegative", [](json& c) { c["input"]["std"][1] = -0.2; },
     "\"input.std\""},
    {"StdDenormal", [](json& c) { c["input"]["std"][1] = 1e-40; },
     "\"input.std\""},
    {"LabelsInAnotherFolder", [](json& c) { c["labels"] = "../labels.txt"; },
     "\"labels\" must be the plain name"},
    {"LabelsAbsolute", [](json& c) { c["labels"] = "/etc/passwd"; },
     "\"labels\""},
    {"LabelsParent", [](json& c) { c["labels"] = ".."; }, "\"labels\""},
    {"LabelsEmpty", [](json& c) { c["labels"] = ""; }, "\"labels\""},
    {"LabelsWithZeroByte",
     [](json& c) { c["labels"] = std::string("a\0b", 3); }, "\"labels\""},
    {"LabelsTooLong", [](json& c) { c["labels"] = std::string(65, 'a'); },
     "\"labels\""},
    {"WeightsNotAnObject", [](json& c) { c["weights"] = "model.safetensors"; },
     "\"weights\" must be an object"},
    {"WeightsInAnotherFolder",
     [](json& c) { c["weights"]["file"] = "a/b.safetensors"; },
     "\"weights.file\""},
    {"WeightsAPickle", [](json& c) { c["weights"]["file"] = "model.pt"; },
     "\"weights.file\" must be the plain name of a file ending in "
     ".safetensors"},
    {"HashTooShort",
     [](json& c) { c["weights"]["sha256"] = std::string(63, 'a'); },
     "\"weights.sha256\" must be 64 lower-case hexadecimal digits"},
    {"HashUpperCase",
     [](json& c) { c["weights"]["sha256"] = std::string(64, 'A'); },
     "\"weights.sha256\""},
};

INSTANTIATE_TEST_SUITE_P(Faults, ModelConfigFault, ::testing::ValuesIn(kFaults),
                         [](const auto& info) { return info.param.name; });

// Faults of the text itself, which a JSON library's writer would not make.
struct TextFault {
  const char* name;
  std::string text;
  const char* says;
};

void PrintTo(const TextFault& fault, std::ostream* out) { *out << fault.name; }

class ModelConfigText : public ::testing::TestWithParam<TextFault> {};

TEST_P(ModelConfigText, IsRefused) {
  const auto parsed = ParseModelConfig(GetParam().text);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(parsed.status().message()),
              HasSubstr(GetParam().says));
}

std::string Replaced(absl::string_view from, absl::string_view to) {
  return absl::StrReplaceAll(FormatModelConfig(ValidConfig()), {{from, to}});
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ModelConfigText,
    ::testing::Values(
        TextFault{"Empty", "", "no valid JSON"},
        TextFault{"List", "[]", "not an object"},
        TextFault{"CutOff", FormatModelConfig(ValidConfig()).substr(0, 200),
                  "no valid JSON at byte"},
        TextFault{"TextBehind", FormatModelConfig(ValidConfig()) + "x",
                  "no valid JSON"},
        TextFault{"Comment", Replaced("\"block\"", "/* */ \"block\""),
                  "no valid JSON"},
        TextFault{"NotANumber", Replaced("0.485", "NaN"), "no valid JSON"},
        TextFault{"NumberBeyondDouble", Replaced("0.485", "1e999"),
                  "no valid JSON"},
        TextFault{"BadUtf8", Replaced("released", "rel\xff"), "no valid JSON"},
        TextFault{
            "KeyTwice",
            Replaced("\"classes\": 1000", "\"classes\": 10, \"classes\": 1000"),
            "the key \"classes\" twice"},
        TextFault{"InnerKeyTwice",
                  Replaced("\"crop\": 224", "\"crop\": 224, \"crop\": 224"),
                  "the key \"crop\" twice"},
        TextFault{"Deep", std::string(100'000, '['), "more than 8 levels"},
        TextFault{"ManyValues",
                  absl::StrCat(
                      "{\"a\":[0", std::string(40'000, ' '),
                      [] {
                        std::string zeros;
                        for (int i = 0; i < 20'000; ++i) zeros += ",0";
                        return zeros;
                      }(),
                      "]}"),
                  "more than 10000 values"},
        TextFault{"Large", std::string((1 << 20) + 1, ' '),
                  "more than 1048576 bytes"}),
    [](const auto& info) { return info.param.name; });

TEST(PublishedVariant, HasThePublishedSizes) {
  const auto base = PublishedVariant("base");
  ASSERT_TRUE(base.ok());
  EXPECT_EQ(base->stem_width, 64);
  EXPECT_THAT(base->widths, ElementsAre(96, 192, 424, 512));
  EXPECT_THAT(base->depths, ElementsAre(3, 6, 21, 3));
  EXPECT_THAT(base->mlp_ratios, ElementsAre(8, 8, 4, 4));
  EXPECT_EQ(base->classes, 1000);
}

TEST(PublishedVariant, OtherNamesAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(PublishedVariant("huge").status()));
}

TEST(IsPlainName, AcceptsOnlyWhatIsSafeEverywhere) {
  for (const char* name : {"tiny", "a", "GroupMamba-T_1.0", "0"}) {
    EXPECT_TRUE(IsPlainName(name)) << name;
  }
  for (const char* name : {"", ".", "..", ".hidden", "a/b", "a b", "a\n",
                           "\xc3\xa4", "a\"b", "a{b}"}) {
    EXPECT_FALSE(IsPlainName(name)) << name;
  }
  EXPECT_TRUE(IsPlainName(std::string(64, 'x')));
  EXPECT_FALSE(IsPlainName(std::string(65, 'x')));
}

}  // namespace
}  // namespace groupmamba
