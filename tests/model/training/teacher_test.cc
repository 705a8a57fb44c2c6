#include "model/training/teacher.h"

#include <memory>
#include <string>
#include <vector>

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"
#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/safetensors.h"
#include "model/training/teacher_labels.h"
#include "tests/model/training/tiny_run.h"
#include "tests/testing/temp_dir.h"
#include "torch/csrc/jit/api/module.h"

namespace groupmamba::training {
namespace {

using groupmamba::testing::TempDir;
using ::testing::HasSubstr;

ModelConfig Student() { return MakeModelConfig(TinySettings("")); }

// A batch of the pictures with these numbers.
Batch BatchOf(std::vector<int32_t> numbers) {
  const BarPictures bars(13);
  BrokenPictures broken(0);
  Loader loader(
      &bars, &broken, {.input = Student().input, .end_step = 1},
      [&](int64_t) { return PlannedStep{.epoch = 0, .pictures = numbers}; });
  return MakeBatch(loader.Next().value(), Student().input);
}

// Writes a TorchScript file whose forward has that body.
std::string WriteScript(const TempDir& dir, const std::string& body) {
  torch::jit::Module module("Teacher");
  module.define("def forward(self, x):\n  " + body + "\n");
  const std::string path = dir.Path("teacher.pt");
  module.save(path);
  return path;
}

// ---- Answers that were written down

// An answer for each of thirteen pictures, none of them the truth.
std::vector<int32_t> Answers() {
  std::vector<int32_t> answers;
  for (int i = 0; i < 13; ++i) answers.push_back((i + 3) % 10);
  return answers;
}

TEST(WrittenTeacher, GivesEachPictureItsAnswer) {
  const TempDir dir;
  const std::string path = dir.Path("answers.safetensors");
  const BarPictures bars(13);
  ASSERT_TRUE(WriteTeacherLabels(path, Answers(), HashOfPictures(bars)).ok());
  const auto teacher = LoadTeacher(path, Student(), {.pictures = &bars});
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const at::Tensor targets = (*teacher)->Targets(BatchOf({12, 0, 5}));
  EXPECT_EQ(targets.sizes(), at::IntArrayRef({3, 10}));
  EXPECT_EQ(targets[0][5].item<float>(), 1);
  EXPECT_EQ(targets[1][3].item<float>(), 1);
  EXPECT_EQ(targets[2][8].item<float>(), 1);
}

TEST(WrittenTeacher, AnswersAreMixedAsThePicturesWere) {
  const TempDir dir;
  const std::string path = dir.Path("answers.safetensors");
  const BarPictures bars(13);
  ASSERT_TRUE(WriteTeacherLabels(path, Answers(), HashOfPictures(bars)).ok());
  const auto teacher = LoadTeacher(path, Student(), {.pictures = &bars});
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  Batch batch = BatchOf({12, 0});
  ApplyMix({.share = 0.75}, &batch);
  const at::Tensor targets = (*teacher)->Targets(batch);
  EXPECT_EQ(targets[0][5].item<float>(), 0.75f);
  EXPECT_EQ(targets[0][3].item<float>(), 0.25f);
  EXPECT_EQ(targets[1][3].item<float>(), 0.75f);
}

TEST(WrittenTeacher, OfOtherPicturesIsRefused) {
  const TempDir dir;
  const std::string path = dir.Path("answers.safetensors");
  const BarPictures bars(13);
  ASSERT_TRUE(WriteTeacherLabels(path, Answers(), "other").ok());
  const auto teacher = LoadTeacher(path, Student(), {.pictures = &bars});
  EXPECT_TRUE(absl::IsFailedPrecondition(teacher.status()));
}

template <typename T>
TensorBytes Bytes(DType dtype, std::vector<int64_t> shape,
                  const std::vector<T>& values) {
  return {.dtype = dtype,
          .shape = std::move(shape),
          .bytes = {reinterpret_cast<const uint8_t*>(values.data()),
                    values.size() * sizeof(T)}};
}

absl::StatusOr<std::vector<int32_t>> ReadBack(
    const std::map<std::string, TensorBytes>& tensors, int64_t pictures,
    int classes) {
  const TempDir dir;
  const std::string path = dir.Path("a.safetensors");
  EXPECT_TRUE(WriteSafetensors(path, tensors, {}).ok());
  return ReadTeacherLabels(path, pictures, classes, "any");
}

TEST(ReadTeacherLabels, OfLogitsTheHighestCounts) {
  const std::vector<float> logits = {0.1f, 3, 2, 5, -1, 4};
  const auto labels =
      ReadBack({{"logits", Bytes(DType::kF32, {2, 3}, logits)}}, 2, 3);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ::testing::ElementsAre(1, 0));
}

TEST(ReadTeacherLabels, LabelsMayHave64Bits) {
  const std::vector<int64_t> values = {2, 0};
  const auto labels =
      ReadBack({{"labels", Bytes(DType::kI64, {2}, values)}}, 2, 3);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ::testing::ElementsAre(2, 0));
}

TEST(ReadTeacherLabels, WhatDoesNotFitIsRefused) {
  const std::vector<int32_t> labels = {2, 0};
  const std::vector<float> logits = {0, 1, 2, 3, 4, NAN};
  const TensorBytes two = Bytes(DType::kI32, {2}, labels);
  EXPECT_THAT(ReadBack({{"labels", two}}, 3, 3).status().message(),
              HasSubstr("for 3 pictures"));
  EXPECT_THAT(ReadBack({{"labels", two}}, 2, 2).status().message(),
              HasSubstr("an answer is class 2"));
  EXPECT_THAT(ReadBack({{"other", two}}, 2, 3).status().message(),
              HasSubstr("neither"));
  EXPECT_THAT(ReadBack({{"logits", two}}, 2, 3).status().message(),
              HasSubstr("3 classes"));
  EXPECT_THAT(ReadBack({{"logits", Bytes(DType::kF32, {2, 3}, logits)}}, 2, 3)
                  .status()
                  .message(),
              HasSubstr("finite"));
}

// ---- TorchScript

TEST(ScriptTeacher, IsAskedAboutThePicturesAsItWantsThem) {
  const TempDir dir;
  // The class is the picture's side over 8; 64 pixels.
  const std::string path =
      WriteScript(dir,
                  "return torch.eye(10).narrow(0, x.size(2) // 8, "
                  "1).expand([x.size(0), 10])");
  const auto teacher = LoadTeacher(path, Student(), {.side = 64});
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const at::Tensor targets = (*teacher)->Targets(BatchOf({0, 1}));
  EXPECT_EQ(targets[1][8].item<float>(), 1);
}

TEST(ScriptTeacher, SeesItsOwnNormalisation) {
  const TempDir dir;
  // Logits that are the brightness: of class 1 as it came, of class 0 the
  // bound. A black picture is -mean / std.
  const std::string path =
      WriteScript(dir,
                  "return torch.cat([torch.full([x.size(0), 1], -2.5), "
                  "x.mean([1, 2, 3]).unsqueeze(1), torch.full([x.size(0), 8], "
                  "-100.0)], 1)");
  Batch black = BatchOf({0});
  for (int c = 0; c < 3; ++c) {
    const InputConfig input = Student().input;
    black.images.select(1, c).fill_(-input.mean[c] / input.std[c]);
  }
  // -0.5 / 0.25 = -2 is above the bound, -0.6 / 0.2 = -3 below.
  for (const bool above : {true, false}) {
    const float mean = above ? 0.5f : 0.6f;
    const float std = above ? 0.25f : 0.2f;
    const auto teacher = LoadTeacher(
        path, Student(), {.mean = {mean, mean, mean}, .std = {std, std, std}});
    ASSERT_TRUE(teacher.ok()) << teacher.status();
    EXPECT_EQ((*teacher)->Targets(black)[0][above ? 1 : 0].item<float>(), 1);
  }
}

TEST(ScriptTeacher, OfTwoHeadsTheMeanCounts) {
  const TempDir dir;
  const std::string path = WriteScript(
      dir,
      "y = torch.zeros([x.size(0), 10])\n  a = y.clone()\n  b = "
      "y.clone()\n  a[:, 2] = 3.0\n  a[:, 4] = 2.0\n  b[:, 4] = 2.0\n  "
      "return a, b");
  const auto teacher = LoadTeacher(path, Student());
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  EXPECT_EQ((*teacher)->Targets(BatchOf({0}))[0][4].item<float>(), 1);
}

TEST(ScriptTeacher, OfOtherClassesIsRefused) {
  const TempDir dir;
  const auto status =
      LoadTeacher(WriteScript(dir, "return torch.zeros([x.size(0), 7])"),
                  Student())
          .status();
  EXPECT_THAT(status.message(), HasSubstr("but [1, 7]"));
  EXPECT_FALSE(LoadTeacher(WriteScript(dir, "return [x]"), Student()).ok());
  EXPECT_FALSE(
      LoadTeacher(WriteScript(dir, "return x.view([7])"), Student()).ok());
}

TEST(LoadTeacher, WhatIsNoTeacherIsRefusedWithItsName) {
  const TempDir dir;
  for (const char* name : {"bad.pt", "bad.safetensors", "bad.bin"}) {
    const BarPictures bars(13);
    const auto status =
        LoadTeacher(dir.Write(name, "no model"), Student(), {.pictures = &bars})
            .status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), HasSubstr(name));
  }
  EXPECT_EQ(LoadTeacher("", Student())->get(), nullptr);
}

// ---- AskTeacher

TEST(AskTeacher, AnswersForEveryPictureInTheDatasOrder) {
  const TempDir dir;
  // The bar's row says the class.
  const auto teacher = LoadTeacher(
      WriteScript(dir,
                  "return x.mean([1, 3]).narrow(1, 0, 30).view([-1, 10, "
                  "3]).mean(2)"),
      Student());
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  const BarPictures bars(213);
  BrokenPictures broken(0);
  const auto answers =
      AskTeacher(**teacher, bars, &broken, {.input = Student().input});
  ASSERT_TRUE(answers.ok()) << answers.status();
  ASSERT_EQ(answers->size(), 213u);
  for (int i = 0; i < 213; ++i) EXPECT_EQ((*answers)[i], i % 10);
}

}  // namespace
}  // namespace groupmamba::training
