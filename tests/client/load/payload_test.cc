#include "client/load/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/clock.h"
#include "client/connection.h"
#include "model/image/decode.h"
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

TEST(PayloadTest, ARawMadePictureIsOfItsSizeAndAFunctionOfTheSeed) {
  const auto made = [](uint64_t seed) {
    return SyntheticPayload("7x5", SyntheticForm::kRaw, seed, Prototype());
  };
  const auto payload = made(1);
  ASSERT_TRUE(payload.ok()) << payload.status();
  ASSERT_EQ(payload->size(), 1u);
  const v1::RawPicture& picture = payload->front()->raw();
  EXPECT_EQ(picture.width(), 7u);
  EXPECT_EQ(picture.height(), 5u);
  EXPECT_EQ(picture.rgb().size(), 3u * 7 * 5);
  EXPECT_EQ(payload->front()->model(), "fashion");
  EXPECT_EQ(picture.rgb(), made(1)->front()->raw().rgb());
  EXPECT_NE(picture.rgb(), made(2)->front()->raw().rgb());
}

TEST(PayloadTest, MadeJpegsDecodeToTheirSizes) {
  const auto payload =
      SyntheticPayload("640x480,33x17", SyntheticForm::kJpeg, 1, Prototype());
  ASSERT_TRUE(payload.ok()) << payload.status();
  ASSERT_EQ(payload->size(), 2u);
  const std::string& jpeg = payload->front()->encoded();
  const auto picture =
      DecodeImage({reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size()},
                  DecodeLimits(), *RealClock::Get());
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->cols, 640);
  EXPECT_EQ(picture->rows, 480);
  // As many bytes as a photograph of that size: 1 to 4 bits a pixel.
  EXPECT_GT(jpeg.size(), 640u * 480 / 8);
  EXPECT_LT(jpeg.size(), 640u * 480 / 2);
}

TEST(PayloadTest, WhatIsNoSizeOrFitsNoMessageIsRefused) {
  const auto message = [](const char* sizes, SyntheticForm form) {
    return std::string(
        SyntheticPayload(sizes, form, 1, Prototype()).status().message());
  };
  for (const char* size : {"", "7", "x", "7x", "0x7", "7x0", "-1x7", "7x7x7",
                           "7 by 7", "4294967296x1", "7x7,", "7x7,8"}) {
    EXPECT_THAT(message(size, SyntheticForm::kRaw), HasSubstr("is no size"))
        << size;
  }
  for (const char* size : {"4294967295x4294967295", "4000x3000"}) {
    EXPECT_THAT(message(size, SyntheticForm::kRaw), HasSubstr("do not fit"))
        << size;
  }
  for (const char* size : {"65501x1", "1x65501", "10000x5001"}) {
    EXPECT_THAT(message(size, SyntheticForm::kJpeg), HasSubstr("do not fit"))
        << size;
  }
}

TEST(PayloadTest, TheLargestMadePictureFitsAMessageOf32Mebibytes) {
  const auto payload =
      SyntheticPayload("3344x3338", SyntheticForm::kRaw, 1, Prototype());
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_LE(payload->front()->ByteSizeLong(), size_t{32} << 20);
  EXPECT_GT(payload->front()->ByteSizeLong() + (64 << 10), kMaxPictureBytes);
}

}  // namespace
}  // namespace groupmamba::client
