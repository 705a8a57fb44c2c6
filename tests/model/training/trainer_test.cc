#include "model/training/trainer.h"

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ATen/Parallel.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/training/teacher.h"
#include "model/weights.h"
#include "nlohmann/json.hpp"
#include "tests/model/training/idx_files.h"
#include "tests/model/training/tiny_run.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using ::testing::HasSubstr;

constexpr int kSteps = 12;  // of TinySettings

bool Never() { return false; }

absl::StatusOr<std::unique_ptr<Trainer>> MakeTrainer(
    const TrainSettings& settings, const TimeSource* clock) {
  at::set_num_threads(1);  // the models are too small to share
  auto teacher = LoadTeacher(settings.teacher, MakeModelConfig(settings));
  if (!teacher.ok()) {
    return teacher.status();
  }
  return Trainer::Create(settings, TinyPictures(), TinyPictures(),
                         *std::move(teacher), clock);
}

// Trains to the end, in sittings of `steps` steps.
void TrainInSittings(const TrainSettings& settings, int steps) {
  const SimulatedClock clock;
  for (int sitting = 0; sitting < kSteps; ++sitting) {
    auto trainer = MakeTrainer(settings, &clock);
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    int done = 0;
    const absl::Status status =
        (*trainer)->Run([&done, steps] { return ++done == steps; });
    if (status.ok()) {
      return;
    }
    ASSERT_TRUE(absl::IsCancelled(status)) << status;
  }
  FAIL() << "not done after " << kSteps << " sittings";
}

TEST(Trainer, StoppingAndGoingOnChangesNoBit) {
  const TempDir dir;
  const TrainSettings whole = TinySettings(dir.Path("whole/1"));
  TrainInSittings(whole, kSteps + 1);
  const std::string expected =
      ReadFileForTest(whole.out + "/model.safetensors");
  ASSERT_FALSE(expected.empty());
  for (int steps : {1, 2, 3, 5}) {
    const TrainSettings parts =
        TinySettings(dir.Path(absl::StrCat("parts", steps, "/1")));
    TrainInSittings(parts, steps);
    EXPECT_TRUE(ReadFileForTest(parts.out + "/model.safetensors") == expected)
        << "in sittings of " << steps << " steps";
  }
}

TEST(Trainer, AnotherSeedTrainsAnotherModel) {
  const TempDir dir;
  TrainSettings one = TinySettings(dir.Path("one/1"));
  TrainSettings other = TinySettings(dir.Path("other/1"));
  other.seed = 2;
  TrainInSittings(one, kSteps + 1);
  TrainInSittings(other, kSteps + 1);
  EXPECT_FALSE(ReadFileForTest(one.out + "/model.safetensors") ==
               ReadFileForTest(other.out + "/model.safetensors"));
}

TEST(Trainer, WritesAFolderThatCanBeServed) {
  const TempDir dir;
  const TrainSettings settings = TinySettings(dir.Path("fashion/1"));
  TrainInSittings(settings, kSteps + 1);
  const auto folder = ReadModelFolder(settings.out);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->labels.front(), "T-shirt");
  EXPECT_EQ(folder->labels.back(), "Ankle boot");
  EXPECT_EQ(folder->config.widths, settings.widths);
  const auto weights = ReadWeights(*folder);
  EXPECT_TRUE(weights.ok()) << weights.status();
}

TEST(Trainer, LogsTheStartEveryEpochAndEverySitting) {
  const TempDir dir;
  const TrainSettings settings = TinySettings(dir.Path("log/1"));
  TrainInSittings(settings, 5);
  std::vector<std::string> events;
  const std::string log = ReadFileForTest(settings.out + "/train.log.jsonl");
  for (absl::string_view line : absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["event"] == "step") continue;
    events.push_back(entry["event"]);
    if (events.back() == "epoch") {
      EXPECT_EQ(entry["step"].get<int>() % 3, 0);
      EXPECT_GE(entry["top1"].get<double>(), 0);
      EXPECT_GT(entry["loss"].get<double>(), 0);
    }
  }
  EXPECT_THAT(events,
              ::testing::ElementsAre("start", "epoch", "resume", "epoch",
                                     "epoch", "resume", "epoch"));
}

TEST(Trainer, CheckpointsWithinAnEpochWhenTheTimeHasCome) {
  const TempDir dir;
  TrainSettings settings = TinySettings(dir.Path("x/1"));
  settings.run.checkpoint_minutes = 2;
  SimulatedClock clock;
  auto trainer = MakeTrainer(settings, &clock);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const std::string checkpoint = settings.out + "/checkpoint.safetensors";
  std::vector<bool> there;
  const absl::Status status = (*trainer)->Run([&] {
    there.push_back(std::filesystem::exists(checkpoint));
    clock.Advance(std::chrono::minutes(3));
    return there.size() == 2;
  });
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_THAT(there, ::testing::ElementsAre(false, true));
}

TEST(Trainer, ACheckpointOfOtherSettingsIsRefusedUnlessToldToRestart) {
  const TempDir dir;
  TrainSettings settings = TinySettings(dir.Path("x/1"));
  TrainInSittings(settings, kSteps + 1);
  settings.learning_rate *= 2;
  const SimulatedClock clock;
  EXPECT_EQ(MakeTrainer(settings, &clock).status().code(),
            absl::StatusCode::kFailedPrecondition);
  settings.restart = true;
  const auto trainer = MakeTrainer(settings, &clock);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->steps(), 0);
  EXPECT_FALSE(
      std::filesystem::exists(settings.out + "/checkpoint.safetensors"));
}

void CutShort(const std::string& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
}

TEST(Trainer, ADamagedCheckpointFallsBackToTheOneBefore) {
  const TempDir dir;
  const TrainSettings settings = TinySettings(dir.Path("x/1"));
  TrainInSittings(settings, kSteps + 1);
  CutShort(settings.out + "/checkpoint.safetensors");
  const SimulatedClock clock;
  const auto trainer = MakeTrainer(settings, &clock);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->steps(), kSteps - 3);  // of the epoch before
}

TEST(Trainer, WithoutACheckpointThatIsWholeItIsRefused) {
  const TempDir dir;
  const TrainSettings settings = TinySettings(dir.Path("x/1"));
  TrainInSittings(settings, kSteps + 1);
  CutShort(settings.out + "/checkpoint.safetensors");
  CutShort(settings.out + "/checkpoint.previous.safetensors");
  const SimulatedClock clock;
  EXPECT_EQ(MakeTrainer(settings, &clock).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Trainer, LogsEveryStepThatItIsToldTo) {
  const TempDir dir;
  TrainSettings settings = TinySettings(dir.Path("x/1"));
  settings.run.log_steps = 2;
  TrainInSittings(settings, 5);
  std::vector<int> steps;
  const auto log = ReadRunLog(settings.out + "/train.log.jsonl");
  ASSERT_TRUE(log.ok()) << log.status();
  for (const nlohmann::ordered_json& line : *log) {
    if (line["event"] != "step") continue;
    steps.push_back(line["step"]);
    EXPECT_GT(line["gradient_norm"].get<double>(), 0);
    EXPECT_GT(line["smoothed_loss"].get<double>(), 0);
    EXPECT_GT(line["learning_rate"].get<double>(), 0);
  }
  // And at the end of each epoch.
  EXPECT_THAT(steps, ::testing::ElementsAre(2, 3, 4, 6, 8, 9, 10, 12));
}

TEST(Trainer, AFinishedRunIsNotTrainedAgain) {
  const TempDir dir;
  const TrainSettings settings = TinySettings(dir.Path("x/1"));
  TrainInSittings(settings, kSteps + 1);
  const SimulatedClock clock;
  auto trainer = MakeTrainer(settings, &clock);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->steps(), kSteps);
  EXPECT_TRUE((*trainer)->Run(Never).ok());
  EXPECT_EQ((*trainer)->steps(), kSteps);
}

TEST(Trainer, ALossThatIsNotFiniteEndsTheRun) {
  const TempDir dir;
  TrainSettings settings = TinySettings(dir.Path("x/1"));
  settings.learning_rate = 1e30;  // past CheckSettings, on purpose
  settings.warmup_epochs = 0;
  const SimulatedClock clock;
  auto trainer = MakeTrainer(settings, &clock);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->Run(Never).code(), absl::StatusCode::kInternal);
  EXPECT_THAT(ReadFileForTest(settings.out + "/train.log.jsonl"),
              HasSubstr("\"event\":\"diverged\""));
}

TEST(Trainer, MorePicturesInABatchThanThereAreIsRefused) {
  const TempDir dir;
  TrainSettings settings = TinySettings(dir.Path("x/1"));
  settings.batch = 14;
  const SimulatedClock clock;
  EXPECT_EQ(MakeTrainer(settings, &clock).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Teacher, AModelFolderTeachesAndChangesTheResult) {
  const TempDir dir;
  const TrainSettings teacher = TinySettings(dir.Path("teacher/1"));
  TrainInSittings(teacher, kSteps + 1);
  TrainSettings student = TinySettings(dir.Path("student/1"));
  student.teacher = teacher.out;
  student.block = "released";  // two heads
  TrainInSittings(student, 5);
  TrainSettings alone = student;
  alone.teacher.clear();
  alone.out = dir.Path("alone/1");
  TrainInSittings(alone, 5);
  EXPECT_FALSE(ReadFileForTest(student.out + "/model.safetensors") ==
               ReadFileForTest(alone.out + "/model.safetensors"));
}

TEST(Teacher, OfOtherPicturesIsRefused) {
  const TempDir dir;
  const TrainSettings teacher = TinySettings(dir.Path("teacher/1"));
  TrainInSittings(teacher, kSteps + 1);
  TrainSettings student = TinySettings(dir.Path("student/1"));
  student.side = 40;
  const auto loaded = LoadTeacher(teacher.out, MakeModelConfig(student));
  EXPECT_THAT(loaded.status().message(), HasSubstr("not the student's"));
}

// The program itself; what it prints is thrown away.
int RunProgram(const std::string& arguments) {
  const int status = std::system(absl::StrCat(GM_BIN_DIR, "/groupmamba-train ",
                                              arguments, " >/dev/null 2>&1")
                                     .c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(TrainProgram, TrainsFromIdxFiles) {
  const TempDir dir;
  WriteFashion(dir.path(), 8);
  EXPECT_EQ(RunProgram(absl::StrCat(
                "--data ", dir.path(), " --out ", dir.Path("small/1"),
                " --stem-width 4 --widths 4,4,4,4 --depths 1,1,1,1 --side 32",
                " --batch 4 --epochs 2 --threads 1")),
            0);
  EXPECT_TRUE(ReadModelFolder(dir.Path("small/1")).ok());
}

TEST(TrainProgram, WrongUsageEndsWithTwoAndMissingDataWithOne) {
  const TempDir dir;
  EXPECT_EQ(RunProgram(""), 2);
  EXPECT_EQ(RunProgram("--out x --no-such-flag"), 2);
  EXPECT_EQ(RunProgram("--out x --epochs many"), 2);
  EXPECT_EQ(RunProgram("--out x --alpha 2"), 2);
  EXPECT_EQ(RunProgram("--help"), 0);
  EXPECT_EQ(RunProgram(absl::StrCat("--out ", dir.Path("x/1"), " --data ",
                                    dir.path())),
            1);
}

}  // namespace
}  // namespace groupmamba::training
