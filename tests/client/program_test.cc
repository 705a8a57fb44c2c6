// The program itself: what main() adds to the commands.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "tests/testing/stub_classifier_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ProgramTest : public ::testing::Test {
 protected:
  // Runs the program by the shell; its streams go to files of `folder_`.
  int Run(const std::string& arguments) {
    const std::string command = GM_BIN_DIR "/groupmamba-client " + arguments +
                                " >" + folder_.Path("out") + " 2>" +
                                folder_.Path("err");
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Out() { return testing::ReadFileForTest(folder_.Path("out")); }
  std::string Err() { return testing::ReadFileForTest(folder_.Path("err")); }
  std::string Target() { return " --target " + server_.address() + " "; }

  testing::TempDir folder_;
  StubClassifierServer server_{{"Bag", "Coat"}};
};

TEST_F(ProgramTest, ResultsGoToStandardOutputAndDiagnosticsToStandardError) {
  const std::string picture = folder_.Write("a.png", "a");
  EXPECT_EQ(Run("classify" + Target() + picture + " " + folder_.Path("no")), 1);
  EXPECT_THAT(Out(), StartsWith(picture + "   75.0 %  Bag\n"));
  EXPECT_THAT(Err(), HasSubstr("no: NOT_FOUND: cannot be opened"));
}

TEST_F(ProgramTest, StandardInputIsAPicture) {
  const std::string large = folder_.Write("large", std::string(5 << 20, 'x'));
  EXPECT_EQ(Run("classify --json - " + Target() + "<" + large), 0);
  EXPECT_THAT(Out(), StartsWith("{\"path\":\"-\",\"model\":\"stub\""));
}

TEST_F(ProgramTest, ExitCodesTellWrongUsageFromAnUnreachableServer) {
  EXPECT_EQ(Run("health" + Target()), 0);
  EXPECT_EQ(Run("--version"), 0);
  EXPECT_THAT(Out(), StartsWith("groupmamba-client "));
  EXPECT_EQ(Run("classify"), 2);
  server_.Stop();
  EXPECT_EQ(Run("health" + Target()), 4);
  EXPECT_THAT(Out(), IsEmpty());
}

TEST_F(ProgramTest, OutputThatCannotBeWrittenIsAFailure) {
  const std::string command =
      GM_BIN_DIR "/groupmamba-client health" + Target() + " >/dev/full 2>&1";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
}

}  // namespace
}  // namespace groupmamba
