// The program groupmamba-convert on checkpoints of whole GroupMambas.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "model/weights.h"
#include "tests/model/formula_folder.h"
#include "tests/model/small_config.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using ::testing::HasSubstr;

int RunCommand(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ConvertTest : public ::testing::Test {
 protected:
  ConvertTest() { source_.Write(); }

  // A checkpoint of the source; see make_checkpoint.py.
  std::string Make(const std::string& layout) {
    const std::string path = dir_.Path(layout + ".pth");
    EXPECT_EQ(RunCommand(absl::StrCat(
                  "/usr/bin/python3 ", GM_SOURCE_DIR,
                  "/tests/model/convert/make_checkpoint.py ", layout, " ",
                  source_.model().path, "/model.safetensors ", path)),
              0);
    return path;
  }

  // The exit code; what it says is in said_ then.
  int Convert(const std::string& arguments) {
    const int code = RunCommand(absl::StrCat(GM_BIN_DIR, "/groupmamba-convert ",
                                             arguments, " >", dir_.Path("out"),
                                             " 2>", dir_.Path("err")));
    said_ = ReadFileForTest(dir_.Path("err"));
    return code;
  }

  // Every tensor equals the source's to the bit.
  void ExpectSame(const std::string& folder) {
    const auto read = ReadModelFolder(folder);
    ASSERT_TRUE(read.ok()) << read.status();
    const ModelConfig& expected = source_.model().config;
    EXPECT_EQ(read->config.block, expected.block);
    EXPECT_EQ(read->config.stem_width, expected.stem_width);
    EXPECT_EQ(read->config.widths, expected.widths);
    EXPECT_EQ(read->config.depths, expected.depths);
    EXPECT_EQ(read->config.mlp_ratios, expected.mlp_ratios);
    EXPECT_EQ(read->config.classes, expected.classes);
    const auto weights = ReadWeights(*read);
    ASSERT_TRUE(weights.ok()) << weights.status();
    for (const auto& [name, values] : source_.values()) {
      EXPECT_EQ(weights->tensors().at(name).bytes, ViewOf(values, {}).bytes)
          << name;
    }
  }

  const TempDir dir_;
  FormulaFolder source_{"convert_source", SmallConfig(BlockForm::kReleased)};
  std::string said_;
};

TEST_F(ConvertTest, EveryLayoutComesBackToTheBit) {
  for (const char* layout : {"bare", "parallel", "training", "transposed"}) {
    const std::string out = dir_.Path(absl::StrCat(layout, "/1"));
    ASSERT_EQ(Convert(absl::StrCat(Make(layout), " --out ", out)), 0) << said_;
    ExpectSame(out);
  }
}

TEST_F(ConvertTest, SafetensorsComeBackToTheBit) {
  ASSERT_EQ(
      Convert(absl::StrCat(source_.model().path, "/model.safetensors --out ",
                           dir_.Path("m/1"))),
      0)
      << said_;
  ExpectSame(dir_.Path("m/1"));
}

TEST_F(ConvertTest, ThePaperFormIsToldByItsNames) {
  FormulaFolder paper("convert_paper", SmallConfig(BlockForm::kPaper));
  paper.Write();
  ASSERT_EQ(
      Convert(absl::StrCat(paper.model().path, "/model.safetensors --out ",
                           dir_.Path("m/1"))),
      0)
      << said_;
  EXPECT_EQ(ReadModelFolder(dir_.Path("m/1"))->config.block, BlockForm::kPaper);
}

TEST_F(ConvertTest, TakesLabelsInputAndVerifies) {
  const std::string labels = dir_.Write("labels", "a\nb\nc\nd\ne\nf\ng\n");
  ASSERT_EQ(Convert(absl::StrCat(Make("training"), " --out ", dir_.Path("m/3"),
                                 " --verify --resize 70 --crop 64 "
                                 "--interpolation bilinear --mean 0.5,0.5,0.5 "
                                 "--std 0.25,0.25,0.25 --labels ",
                                 labels)),
            0)
      << said_;
  EXPECT_THAT(said_, HasSubstr("verified: one picture"));
  EXPECT_THAT(said_, HasSubstr("the weights are the file's \"model_ema\""));
  EXPECT_THAT(said_, HasSubstr("argparse.Namespace"));
  const auto folder = ReadModelFolder(dir_.Path("m/3"));
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->version, 3);
  EXPECT_EQ(folder->labels.back(), "g");
  EXPECT_EQ(folder->config.input.resize, 70);
  EXPECT_EQ(folder->config.input.interpolation, Interpolation::kBilinear);
  EXPECT_EQ(folder->config.input.std[2], 0.25f);
}

// On any error nothing is left, and nothing that was there is touched.
TEST_F(ConvertTest, AFailureLeavesNothing) {
  const std::string checkpoint = Make("bare");
  const std::string labels = dir_.Write("labels", "only one\n");
  EXPECT_EQ(Convert(absl::StrCat(checkpoint, " --out ", dir_.Path("m/1"),
                                 " --labels ", labels)),
            1);
  EXPECT_THAT(said_, HasSubstr("m/1/labels.txt: has 1 lines"));
  EXPECT_FALSE(std::filesystem::exists(dir_.Path("m")));
  EXPECT_EQ(Convert(absl::StrCat(labels, " --out ", dir_.Path("m/1"))), 1);
  EXPECT_FALSE(std::filesystem::exists(dir_.Path("m")));
  dir_.Write("there/1/config.json", "mine");
  EXPECT_EQ(Convert(absl::StrCat(checkpoint, " --out ", dir_.Path("there/1"))),
            1);
  EXPECT_THAT(said_, HasSubstr("is there already"));
  EXPECT_EQ(ReadFileForTest(dir_.Path("there/1/config.json")), "mine");
}

TEST_F(ConvertTest, AMissingOrSurplusTensorIsNamed) {
  const auto file =
      SafetensorsFile::Read(source_.model().path + "/model.safetensors");
  std::map<std::string, TensorBytes> missing = file->tensors();
  missing.erase("norm3.bias");
  std::map<std::string, TensorBytes> surplus = file->tensors();
  surplus["norm9.bias"] = surplus.at("norm3.bias");
  for (const auto& [name, altered] :
       {std::pair("norm3.bias", missing), std::pair("norm9.bias", surplus)}) {
    const std::string path = dir_.Path("altered.safetensors");
    ASSERT_TRUE(WriteSafetensors(path, altered, {}).ok());
    EXPECT_EQ(Convert(absl::StrCat(path, " --out ", dir_.Path("m/1"))), 1);
    EXPECT_THAT(said_, HasSubstr(name));
  }
}

TEST_F(ConvertTest, WrongUsageEndsWithTwo) {
  EXPECT_EQ(Convert(""), 2);
  EXPECT_EQ(Convert("x.pth"), 2);
  EXPECT_EQ(Convert("x.pth --out m/1 --interpolation nearest"), 2);
  EXPECT_EQ(Convert("--help"), 0);
  EXPECT_EQ(Convert("missing.pth --out " + dir_.Path("m/1")), 1);
  EXPECT_EQ(Convert(Make("bare") + " --out " + dir_.Path("m/latest")), 1);
  EXPECT_THAT(said_, HasSubstr("version must be a positive integer"));
}

}  // namespace
}  // namespace groupmamba
