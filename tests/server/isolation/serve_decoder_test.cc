// The decoder process's loop, here on a thread.

#include "server/isolation/serve_decoder.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

class ServeDecoderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_), 0);
    thread_ = std::thread([this] {
      ServeDecoder(ends_[1], setup_, absl::MakeSpan(memory_));
      close(ends_[1]);
    });
  }
  void TearDown() override {
    close(ends_[0]);
    thread_.join();
  }

  // The reply; without one, because the loop ended, an outcome that is none.
  DecoderReply Ask(const DecoderRequest& request) {
    DecoderReply reply;
    if (!SendMessage(ends_[0], request) || !ReceiveMessage(ends_[0], &reply)) {
      reply.outcome = static_cast<DecoderReply::Outcome>(99);
    }
    return reply;
  }

  static DecoderRequest Pixels() {
    return {.kind = Picture::Kind::kPixels,
            .bytes = 12,
            .width = 2,
            .height = 2,
            .spec = {.resize = 1, .crop_height = 1, .crop_width = 1},
            .out_bytes = 3};
  }

  const DecoderSetup setup_ = {
      .limits = {}, .jpeg_oversampling = 0, .in_bytes = 100, .out_bytes = 50};
  std::vector<uint8_t> memory_ = std::vector<uint8_t>(150, 9);
  int ends_[2] = {};
  std::thread thread_;
};

TEST_F(ServeDecoderTest, WritesThePixelsAfterTheInput) {
  EXPECT_EQ(Ask(Pixels()).outcome, DecoderReply::kPrepared);
  EXPECT_EQ(memory_[100], 9);
}

TEST_F(ServeDecoderTest, ARefusalHasItsText) {
  DecoderRequest request = Pixels();
  request.kind = Picture::Kind::kFile;
  const DecoderReply reply = Ask(request);
  EXPECT_EQ(reply.outcome, DecoderReply::kRefused);
  EXPECT_EQ(std::string(reply.text, 16), "unknown_format: ");
}

TEST_F(ServeDecoderTest, EndsWhenARequestDoesNotFitTheMemory) {
  DecoderRequest request = Pixels();
  request.bytes = 101;
  EXPECT_EQ(Ask(request).outcome, 99u);
}

TEST_F(ServeDecoderTest, EndsWhenTheMessageIsNone) {
  DecoderReply reply;
  ASSERT_TRUE(SendMessage(ends_[0], uint64_t{1}));
  EXPECT_FALSE(ReceiveMessage(ends_[0], &reply));
}

TEST(MakeReplyTest, LongTextsAreCut) {
  const DecoderReply reply =
      MakeReply(1, absl::InvalidArgumentError(std::string(1000, 'x')));
  EXPECT_EQ(reply.text_bytes, sizeof(reply.text));
}

TEST(MakeReplyTest, WhatIsNotTheClientsFaultIsAFailure) {
  EXPECT_EQ(MakeReply(1, absl::InternalError("x")).outcome,
            DecoderReply::kFailed);
  EXPECT_EQ(MakeReply(1, absl::OkStatus()).outcome, DecoderReply::kPrepared);
}

}  // namespace
}  // namespace groupmamba
