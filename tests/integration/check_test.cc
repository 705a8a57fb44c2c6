// `groupmamba-server check`: what it finds, and its exit codes.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

const char kServer[] = GM_BIN_DIR "/groupmamba-server";

class CheckTest : public ::testing::Test {
 protected:
  // Expects code 2 and a sentence with that.
  void ExpectWrong(std::vector<std::string> arguments,
                   const std::string& sentence) {
    arguments.insert(arguments.begin(), "check");
    ServerProcess server(kServer, arguments);
    EXPECT_THAT(server.AwaitLine("groupmamba-server:"), HasSubstr(sentence));
    EXPECT_EQ(server.Wait(), 2);
  }

  testing::TempDir folder_;
};

TEST_F(CheckTest, TheBundledModelIsGood) {
  ServerProcess server(
      kServer, {"check", "--models", GM_SOURCE_DIR "/models", "--device", "cpu",
                "--journal", folder_.Path("journal")});
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("journal")))
      << "nothing is made";
}

TEST_F(CheckTest, AWrongSettingIsNamed) {
  ExpectWrong({"--engine=fake:1", "--max-batch", "0"}, "--max-batch");
}

TEST_F(CheckTest, AWrongLineOfTheFileIsNamed) {
  ExpectWrong({"--config", folder_.Write("c.toml", "max-bach = 3\n")},
              "max-bach");
}

TEST_F(CheckTest, AFolderWithoutModelsIsNamed) {
  ExpectWrong({"--models", folder_.path(), "--device", "cpu"}, "no model in");
}

TEST_F(CheckTest, WeightsThatAreNotTheConfigurationsAreNamed) {
  const std::string model = folder_.Path("m");
  std::filesystem::copy(GM_SOURCE_DIR "/models/fashion", model,
                        std::filesystem::copy_options::recursive);
  std::ofstream(model + "/1/model.safetensors", std::ios::app) << "x";
  ExpectWrong({"--models", folder_.path(), "--device", "cpu"}, "SHA-256");
}

TEST_F(CheckTest, ADefaultModelThatIsNotThereIsNamed) {
  ExpectWrong({"--models", GM_SOURCE_DIR "/models", "--device", "cpu",
               "--default-model", "other"},
              "--default-model");
}

TEST_F(CheckTest, AFileThatCannotBeWrittenToIsNamed) {
  ExpectWrong({"--engine=fake:1", "--trace-file", folder_.Path("no/spans")},
              "--trace-file");
}

}  // namespace
}  // namespace groupmamba
