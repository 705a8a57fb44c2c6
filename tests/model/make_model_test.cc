// The program make-model, run as `./dev make-model` runs it.

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "model/formula_weights.h"
#include "model/weights.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using testing::TempDir;

// The exit code; what the program prints is thrown away.
int MakeModel(const std::string& arguments) {
  const int status = std::system(
      absl::StrCat(GM_BIN_DIR, "/make-model ", arguments, " >/dev/null 2>&1")
          .c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(MakeModelProgram, WritesAFolderThatCanBeServed) {
  const TempDir dir;
  ASSERT_EQ(MakeModel("tiny 5 " + dir.path()), 0);
  const auto folder = ReadModelFolder(dir.Path("tiny/1"));
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->labels.size(), 1000u);
  EXPECT_EQ(folder->labels[7], "class-0007");
  const auto weights = ReadWeights(*folder);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto head = FormulaTensor("head.weight", {1000, 448}, 5);
  EXPECT_EQ(weights->tensors().at("head.weight").bytes,
            ViewOf(*head, {1000, 448}).bytes);
}

TEST(MakeModelProgram, WrongUsageEndsWithTwo) {
  const TempDir dir;
  EXPECT_EQ(MakeModel(""), 2);
  EXPECT_EQ(MakeModel("tiny 1"), 2);
  EXPECT_EQ(MakeModel("huge 1 " + dir.path()), 2);
  EXPECT_EQ(MakeModel("tiny one " + dir.path()), 2);
  EXPECT_EQ(MakeModel("tiny -1 " + dir.path()), 2);
}

TEST(MakeModelProgram, AFolderThatCannotBeMadeEndsWithOne) {
  const TempDir dir;
  EXPECT_EQ(MakeModel("tiny 1 " + dir.Write("file", "")), 1);
}

}  // namespace
}  // namespace groupmamba
