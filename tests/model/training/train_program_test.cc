// The program from end to end on data of one's own: what the other tests of
// this folder check piece by piece fits together.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/config.h"
#include "tests/model/training/tar_bytes.h"
#include "tests/testing/image_encoders.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::ReadFileForTest;
using groupmamba::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A model that trains in seconds, by the authors' recipe: every part of it is
// on.
constexpr char kSmall[] =
    " --recipe imagenet --stem-width 4 --widths 4,4,4,4 --depths 1,1,1,1"
    " --mlp-ratios 1,1,1,1 --side 32 --resize 36 --batch 4 --epochs 2"
    " --warmup-epochs 1 --threads 1 ";

struct Result {
  int code = -1;
  std::string errors;
};

Result RunTrainer(const TempDir& dir, const std::string& arguments) {
  const std::string errors = dir.Path("stderr");
  const int status =
      std::system(absl::StrCat(GM_BIN_DIR, "/groupmamba-train ", arguments,
                               " >/dev/null 2>", errors)
                      .c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .errors = ReadFileForTest(errors)};
}

std::string Jpeg(int seed) {
  const Bytes bytes = EncodeJpeg(MakePicture(60, 45, 3, seed));
  return {bytes.begin(), bytes.end()};
}

// Three classes, six training pictures and three for the test.
void WriteFolders(const TempDir& dir) {
  int seed = 0;
  for (const char* label : {"bee", "ant", "cow"}) {
    for (const char* name : {"train/", "val/"}) {
      dir.Write(absl::StrCat(name, label, "/0.jpg"), Jpeg(++seed));
    }
    dir.Write(absl::StrCat("train/", label, "/1.jpg"), Jpeg(++seed));
  }
}

TEST(TrainProgram, TrainsOnFoldersOfPicturesAndNamesTheirClasses) {
  const TempDir dir;
  WriteFolders(dir);
  const std::string out = dir.Path("own/1");
  const Result result = RunTrainer(
      dir, absl::StrCat("--data ", dir.path(), " --out ", out, kSmall));
  ASSERT_EQ(result.code, 0) << result.errors;
  const auto folder = ReadModelFolder(out);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_THAT(folder->labels, ElementsAre("ant", "bee", "cow"));
  EXPECT_EQ(folder->config.classes, 3);
  EXPECT_EQ(folder->config.block, BlockForm::kReleased);
  EXPECT_EQ(folder->config.input.resize, 36);
}

TEST(TrainProgram, TrainsOnShardsInBf16ToTheSameBitsWhateverTheLoadersThreads) {
  const TempDir dir;
  dir.Write("labels.txt", "cat\ndog\n");
  for (const char* name : {"train", "val"}) {
    std::string members;
    for (int i = 0; i < 5; ++i) {
      members += Member(absl::StrCat(i, ".jpg"), Jpeg(i)) +
                 Member(absl::StrCat(i, ".cls"), absl::StrCat(i % 2));
    }
    dir.Write(absl::StrCat(name, "/0.tar"), members + TarEnd());
  }
  for (const int threads : {1, 3}) {
    const Result result = RunTrainer(
        dir, absl::StrCat("--data ", dir.path(), " --out ", dir.path(), "/own/",
                          threads, kSmall, "--precision bf16 --loader-threads ",
                          threads));
    ASSERT_EQ(result.code, 0) << result.errors;
  }
  const std::string one = ReadFileForTest(dir.Path("own/1/model.safetensors"));
  EXPECT_FALSE(one.empty());
  EXPECT_TRUE(one == ReadFileForTest(dir.Path("own/3/model.safetensors")));
}

TEST(TrainProgram, WithoutAGpuItSaysWhatToDo) {
  const TempDir dir;
  WriteFolders(dir);
  const Result result =
      RunTrainer(dir, absl::StrCat("--data ", dir.path(), " --out ", dir.path(),
                                   "/own/1 --device cuda:99", kSmall));
  if (GM_CUDA) {
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.errors, HasSubstr("GPU"));
  } else {
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.errors, HasSubstr("./dev build-cuda"));
  }
}

TEST(TrainProgram, WritesATeachersAnswersAndLearnsFromThem) {
  const TempDir dir;
  WriteFolders(dir);
  const std::string data = absl::StrCat("--data ", dir.path(), kSmall);
  const std::string teacher = dir.Path("own/1");
  ASSERT_EQ(RunTrainer(dir, absl::StrCat(data, "--out ", teacher)).code, 0);
  const std::string answers = dir.Path("answers.safetensors");
  Result result =
      RunTrainer(dir, absl::StrCat(data, "--teacher ", teacher,
                                   " --write-teacher-labels ", answers));
  ASSERT_EQ(result.code, 0) << result.errors;
  result = RunTrainer(dir, absl::StrCat(data, "--out ", dir.Path("own/2"),
                                        " --teacher ", answers));
  EXPECT_EQ(result.code, 0) << result.errors;
  // Of other pictures they are of no use.
  dir.Write("train/ant/2.jpg", Jpeg(99));
  result = RunTrainer(dir, absl::StrCat(data, "--out ", dir.Path("own/3"),
                                        " --teacher ", answers));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.errors, HasSubstr("for 7 pictures"));
}

TEST(TrainProgram, ABrokenPictureIsNamedAndTooManyEndTheRun) {
  const TempDir dir;
  WriteFolders(dir);
  dir.Write("train/bee/1.jpg", "no JPEG");
  dir.Write("val/cow/0.jpg", "no JPEG");
  const std::string data = absl::StrCat("--data ", dir.path(), kSmall);
  const Result few =
      RunTrainer(dir, absl::StrCat(data, "--out ", dir.Path("own/1")));
  EXPECT_EQ(few.code, 0) << few.errors;
  EXPECT_THAT(few.errors, HasSubstr("train/bee/1.jpg: cannot be read"));
  EXPECT_THAT(few.errors, HasSubstr("val/cow/0.jpg: cannot be read"));
  const Result many = RunTrainer(
      dir, absl::StrCat(data, "--max-broken 0 --out ", dir.Path("own/2")));
  EXPECT_EQ(many.code, 1);
  EXPECT_THAT(many.errors, HasSubstr("--max-broken"));
}

TEST(TrainProgram, TestPicturesOfOtherClassesAreRefused) {
  const TempDir dir;
  WriteFolders(dir);
  dir.Write("val/dog/0.jpg", Jpeg(1));
  const Result result =
      RunTrainer(dir, absl::StrCat("--data ", dir.path(), " --out ",
                                   dir.Path("own/1"), kSmall));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.errors, HasSubstr("dog"));
}

}  // namespace
}  // namespace groupmamba::training
