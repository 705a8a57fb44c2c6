#include "model/training/run_log.h"

#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/training/run_folder.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using Json = nlohmann::ordered_json;

Json Step(int step) { return {{"event", "step"}, {"step", step}}; }

void WriteSteps(const TempDir& dir, int resumed, int first, int last) {
  auto log = RunLog::Open(dir.path(), resumed, /*tensorboard=*/false);
  ASSERT_TRUE(log.ok()) << log.status();
  for (int step = first; step <= last; ++step) {
    ASSERT_TRUE((*log)->Write(Step(step)).ok());
  }
}

std::vector<int> StepsIn(const TempDir& dir) {
  const auto lines = ReadRunLog(dir.Path(kLogFile));
  EXPECT_TRUE(lines.ok()) << lines.status();
  std::vector<int> steps;
  for (const Json& line : *lines) steps.push_back(line["step"]);
  return steps;
}

TEST(RunLog, ForgetsWhatComesAgain) {
  const TempDir dir;
  WriteSteps(dir, 0, 1, 5);
  WriteSteps(dir, 3, 4, 6);
  EXPECT_THAT(StepsIn(dir), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(RunLog, BeginsAnewWithARun) {
  const TempDir dir;
  WriteSteps(dir, 0, 1, 5);
  WriteSteps(dir, 0, 1, 2);
  EXPECT_THAT(StepsIn(dir), ::testing::ElementsAre(1, 2));
}

TEST(RunLog, LeavesOutALineThatWasCut) {
  const TempDir dir;
  WriteSteps(dir, 0, 1, 2);
  ASSERT_TRUE(AppendWhole(dir.Path(kLogFile), R"({"event":"st)").ok());
  EXPECT_THAT(StepsIn(dir), ::testing::ElementsAre(1, 2));
  WriteSteps(dir, 2, 3, 3);
  EXPECT_THAT(StepsIn(dir), ::testing::ElementsAre(1, 2, 3));
}

TEST(ReadRunLog, NamesTheLineThatIsNone) {
  const TempDir dir;
  const std::string path =
      dir.Write(kLogFile, "{\"event\":\"step\",\"step\":1}\n{\"event\":7}\n");
  const auto lines = ReadRunLog(path);
  EXPECT_EQ(lines.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(lines.status().message(), ::testing::HasSubstr("line 2 is not"));
}

TEST(AppendWhole, AddsToWhatIsThere) {
  const TempDir dir;
  const std::string path = dir.Path("file");
  EXPECT_TRUE(AppendWhole(path, "one\n").ok());
  EXPECT_TRUE(AppendWhole(path, "two\n").ok());
  EXPECT_EQ(ReadFileForTest(path), "one\ntwo\n");
}

TEST(AppendWhole, TellsAFullDisk) {
  EXPECT_EQ(AppendWhole("/dev/full", "line\n").code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(RunFolder, IsOneProcesssAtATime) {
  const TempDir dir;
  auto first = RunFolder::Open(dir.path());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(RunFolder::Open(dir.path()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  first->reset();
  EXPECT_TRUE(RunFolder::Open(dir.path()).ok());
}

TEST(RunFolder, RemovesWhatKilledWritesLeft) {
  const TempDir dir;
  dir.Write("checkpoint.safetensors.new.tmp.Ab12Cd", "half");
  dir.Write("checkpoint.safetensors.new", "whole, not yet in its place");
  dir.Write("checkpoint.safetensors", "kept");
  ASSERT_TRUE(RunFolder::Open(dir.path()).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}),
            1);
}

}  // namespace
}  // namespace groupmamba::training
