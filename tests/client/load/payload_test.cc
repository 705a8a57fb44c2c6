#include "client/load/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/connection.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::testing::HasSubstr;

v1::ClassifyRequest Prototype() {
  v1::ClassifyRequest prototype;
  prototype.set_model("fashion");
  prototype.set_top_k(1);
  return prototype;
}

TEST(PayloadTest, EachFileIsARequestLikeThePrototype) {
  testing::TempDir folder;
  folder.Write("b.png", "second");
  folder.Write("a.png", "first");
  const auto payload = FilePayload({folder.path()}, Prototype(), nullptr);
  ASSERT_TRUE(payload.ok()) << payload.status();
  ASSERT_EQ(payload->size(), 2u);
  EXPECT_EQ((*payload)[0]->encoded(), "first");
  EXPECT_EQ((*payload)[1]->encoded(), "second");
  EXPECT_EQ((*payload)[1]->model(), "fashion");
  EXPECT_EQ((*payload)[1]->top_k(), 1u);
}

TEST(PayloadTest, AFileThatCannotBeReadIsNamed) {
  testing::TempDir folder;
  const auto payload =
      FilePayload({folder.Path("missing.png")}, Prototype(), nullptr);
  EXPECT_EQ(payload.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(payload.status().message()),
              HasSubstr("missing.png: cannot be opened"));
}

TEST(PayloadTest, AMadePictureIsRawRgbOfItsSizeAndAFunctionOfTheSeed) {
  const auto payload = SyntheticPayload("7x5", 1, Prototype());
  ASSERT_TRUE(payload.ok()) << payload.status();
  ASSERT_EQ(payload->size(), 1u);
  const v1::RawPicture& picture = payload->front()->raw();
  EXPECT_EQ(picture.width(), 7u);
  EXPECT_EQ(picture.height(), 5u);
  EXPECT_EQ(picture.rgb().size(), 3u * 7 * 5);
  EXPECT_EQ(payload->front()->model(), "fashion");
  EXPECT_EQ(picture.rgb(),
            SyntheticPayload("7x5", 1, Prototype())->front()->raw().rgb());
  EXPECT_NE(picture.rgb(),
            SyntheticPayload("7x5", 2, Prototype())->front()->raw().rgb());
}

TEST(PayloadTest, WhatIsNoSizeOrFitsNoMessageIsRefused) {
  for (const char* size : {"", "7", "x", "7x", "0x7", "7x0", "-1x7", "7x7x7",
                           "7 by 7", "4294967296x1"}) {
    EXPECT_THAT(
        std::string(SyntheticPayload(size, 1, Prototype()).status().message()),
        HasSubstr("is no size"))
        << size;
  }
  for (const char* size : {"4294967295x4294967295", "4000x3000"}) {
    EXPECT_THAT(
        std::string(SyntheticPayload(size, 1, Prototype()).status().message()),
        HasSubstr("do not fit"))
        << size;
  }
}

TEST(PayloadTest, TheLargestMadePictureFitsAMessageOf32Mebibytes) {
  const auto payload = SyntheticPayload("3344x3338", 1, Prototype());
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_LE(payload->front()->ByteSizeLong(), size_t{32} << 20);
  EXPECT_GT(payload->front()->ByteSizeLong() + (64 << 10), kMaxPictureBytes);
}

}  // namespace
}  // namespace groupmamba::client
