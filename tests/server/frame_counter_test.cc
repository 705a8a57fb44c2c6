#include "server/frame_counter.h"

#include <optional>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/raw_http2.h"

namespace groupmamba {
namespace {

using testing::Frame;
using testing::kAck;
using testing::kContinuation;
using testing::kData;
using testing::kEndHeaders;
using testing::kEndStream;
using testing::kHeaders;
using testing::kPadded;
using testing::kPing;
using testing::kRstStream;
using testing::kSettings;
using testing::MessagePrefix;
using testing::Preface;

class FrameCounterTest : public ::testing::Test {
 protected:
  // `received`: the bytes as they are handed on.
  static std::optional<Abuse> Read(const std::string& bytes, TimePoint now,
                                   FrameCounter* counter,
                                   std::string* received = nullptr) {
    std::string own = bytes;
    if (received == nullptr) received = &own;
    *received = bytes;
    return counter->Read(reinterpret_cast<uint8_t*>(received->data()),
                         received->size(), now);
  }

  std::optional<Abuse> Read(const std::string& bytes) {
    return Read(bytes, now_, &counter_);
  }

  // What the same bytes are called the first time they are, of at most `most`.
  std::optional<Abuse> Repeat(const std::string& bytes, int most) {
    std::optional<Abuse> abuse;
    for (int i = 0; i < most && !abuse.has_value(); ++i) abuse = Read(bytes);
    return abuse;
  }

  void Begin() { ASSERT_EQ(Read(Preface()), std::nullopt); }

  static std::string Call(uint32_t stream) {
    return Frame(kHeaders, kEndHeaders, stream, "headers") +
           Frame(kData, kEndStream, stream, MessagePrefix(3) + "abc");
  }

  static FrameLimits Limits() {
    FrameLimits limits;
    limits.max_streams = 10;
    limits.max_message_bytes = 1000;
    limits.max_header_block_bytes = 100;
    limits.reset_burst = 20;
    limits.resets_per_second = 5;
    limits.control_burst = 30;
    limits.controls_per_second = 5;
    return limits;
  }

  FrameCounter counter_{Limits()};
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(FrameCounterTest, OtherProtocolsAreNotHttp2) {
  for (const char* other : {"GET / HTTP/1.1\r\n", "\x16\x03\x01", "PRI x"}) {
    FrameCounter counter(Limits());
    EXPECT_EQ(Read(other, now_, &counter), Abuse::kNotHttp2);
  }
}

TEST_F(FrameCounterTest, CallsInAnyNumberAreNoAbuse) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  for (uint32_t i = 0; i < 10'000; ++i) {
    // Each answered by a ping and a window, as honest clients do.
    ASSERT_EQ(Read(Call(2 * i + 1) + Frame(kPing, 0, 0, "12345678") +
                   Frame(testing::kWindowUpdate, 0, 0, "1234")),
              std::nullopt);
  }
  EXPECT_EQ(counter_.unfinished_bytes(), 0);
  EXPECT_EQ(counter_.unfinished_since(), kForever);
}

TEST_F(FrameCounterTest, TheSameInSinglePieces) {
  for (const char c : Preface() + Frame(kSettings, kAck, 0)) {
    ASSERT_EQ(Read(std::string(1, c)), std::nullopt);
  }
  for (uint32_t i = 0; i < 100; ++i) {
    for (const char c : Call(2 * i + 1)) {
      ASSERT_EQ(Read(std::string(1, c)), std::nullopt);
    }
  }
  EXPECT_EQ(counter_.unfinished_bytes(), 0);
  EXPECT_EQ(counter_.unfinished_since(), kForever);
}

TEST_F(FrameCounterTest, ResetsAreAllowedInABurstAndThenAtARate) {
  Begin();
  // Stream 0 is never new.
  const std::string reset = Frame(kRstStream, 0, 0, "1234");
  EXPECT_EQ(Repeat(reset, 20), std::nullopt);
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(Repeat(reset, 5), std::nullopt);
  EXPECT_EQ(Read(reset), Abuse::kResets);
}

TEST_F(FrameCounterTest, ANewCallsResetCountsAsFive) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  const auto begin = [](uint32_t stream) {
    return Frame(kHeaders, kEndHeaders, stream, "h");
  };
  const auto reset = [](uint32_t stream) {
    return Frame(kRstStream, 0, stream, "1234");
  };
  for (uint32_t stream = 1; stream < 8; stream += 2) {
    ASSERT_EQ(Read(begin(stream) + reset(stream)), std::nullopt);
  }
  ASSERT_EQ(Read(begin(9)), std::nullopt);
  EXPECT_EQ(Read(reset(9)), Abuse::kResets);
}

// As when the server stood still: with the calls come the ends of their
// deadlines.
TEST_F(FrameCounterTest, AfterAStallExpiredCallsCountAsOneEach) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  uint32_t stream = 1;
  for (int i = 0; i < 15; ++i, stream += 2) {
    ASSERT_EQ(Read(Call(stream)), std::nullopt);
    now_ += std::chrono::milliseconds(5);
  }
  now_ += std::chrono::seconds(2);
  for (int i = 0; i < 15; ++i, stream += 2) {
    ASSERT_EQ(Read(Call(stream) + Frame(kRstStream, 0, stream, "1234")),
              std::nullopt);
  }
}

TEST_F(FrameCounterTest, CallsThatAreCancelledAtOnceEarnNothingForEachOther) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  int count = 0;
  std::optional<Abuse> abuse;
  for (uint32_t stream = 1; stream < 200 && !abuse.has_value(); stream += 2) {
    ++count;
    abuse = Read(Call(stream) + Frame(kRstStream, 0, stream, "1234"));
  }
  EXPECT_EQ(abuse, Abuse::kResets);
  EXPECT_EQ(count, 5) << "four at five each, a half of it earned";
}

TEST_F(FrameCounterTest, ACallThatWasCancelledAfterAWhileCountsAsOne) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  for (uint32_t stream = 1; stream < 40; stream += 2) {
    ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, stream, "h")), std::nullopt);
  }
  for (int i = 0; i < 2; ++i) {
    now_ += std::chrono::milliseconds(10);
    ASSERT_EQ(Read(Frame(kPing, 0, 0, "12345678")), std::nullopt);
  }
  for (uint32_t stream = 1; stream < 40; stream += 2) {
    ASSERT_EQ(Read(Frame(kRstStream, 0, stream, "1234")), std::nullopt);
  }
}

TEST_F(FrameCounterTest, EveryTwoWholeCallsAllowAReset) {
  Begin();
  // Stream 0 is never new.
  const std::string reset = Frame(kRstStream, 0, 0, "1234");
  ASSERT_EQ(Repeat(reset, 20), std::nullopt);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(Read(Call(1) + Call(1) + reset), std::nullopt);
  }
  EXPECT_EQ(Read(Call(1) + reset), Abuse::kResets);
}

TEST_F(FrameCounterTest, FloodsOfControlFramesAreAbuse) {
  const std::string frames[] = {Frame(kPing, 0, 0, "12345678"),
                                Frame(kPing, kAck, 0, "12345678"),
                                Frame(kSettings, 0, 0),
                                Frame(kSettings, kAck, 0),
                                Frame(kData, 0, 1),
                                Frame(testing::kWindowUpdate, 0, 0, "1"),
                                Frame(2, 0, 1, "prior"),
                                Frame(200, 0, 0)};
  for (const std::string& frame : frames) {
    FrameCounter counter(Limits());
    ASSERT_EQ(Read(Preface(), now_, &counter), std::nullopt);
    std::optional<Abuse> abuse;
    int count = 0;
    while (!abuse.has_value() && count < 1000) {
      abuse = Read(frame, now_, &counter);
      ++count;
    }
    EXPECT_EQ(abuse, Abuse::kControlFrames);
    EXPECT_EQ(count, 30) << "one went to the first settings";
  }
}

TEST_F(FrameCounterTest, HeadersWithoutEndAreAbuse) {
  Begin();
  ASSERT_EQ(Read(Frame(kHeaders, 0, 1, std::string(60, 'x'))), std::nullopt);
  ASSERT_EQ(Read(Frame(kContinuation, 0, 1, std::string(40, 'x'))),
            std::nullopt);
  EXPECT_EQ(Read(Frame(kContinuation, 0, 1, "x")), Abuse::kHeaders);
}

TEST_F(FrameCounterTest, HeadersThatEndBeginAnew) {
  Begin();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(Read(Frame(kHeaders, 0, 1, std::string(60, 'x')) +
                   Frame(kContinuation, kEndHeaders, 1, "x")),
              std::nullopt);
  }
  EXPECT_EQ(counter_.unfinished_since(), kForever);
}

TEST_F(FrameCounterTest, StreamsBeforeTheAcknowledgementAreLimited) {
  Begin();
  for (uint32_t i = 0; i < 10; ++i) {
    ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, 2 * i + 1, "h")), std::nullopt);
  }
  EXPECT_EQ(Read(Frame(kHeaders, kEndHeaders, 21, "h")), Abuse::kEarlyStreams);
}

TEST_F(FrameCounterTest, UnfinishedMessagesAreKnownBySizeAndAge) {
  Begin();
  ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, 1, "h") +
                 Frame(kData, 0, 1, MessagePrefix(100) + std::string(60, 'x'))),
            std::nullopt);
  const TimePoint first = now_;
  EXPECT_EQ(counter_.unfinished_bytes(), 60);
  EXPECT_EQ(counter_.unfinished_since(), first);
  now_ += std::chrono::seconds(1);
  ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, 3, "h") +
                 Frame(kData, 0, 3, MessagePrefix(50) + std::string(20, 'x'))),
            std::nullopt);
  EXPECT_EQ(counter_.unfinished_bytes(), 80);
  EXPECT_EQ(counter_.unfinished_since(), first);
  ASSERT_EQ(Read(Frame(kData, 0, 1, std::string(40, 'x'))), std::nullopt);
  EXPECT_EQ(counter_.unfinished_bytes(), 20);
  EXPECT_EQ(counter_.unfinished_since(), now_);
  ASSERT_EQ(Read(Frame(kRstStream, 0, 3, "1234")), std::nullopt);
  EXPECT_EQ(counter_.unfinished_bytes(), 0);
  EXPECT_EQ(counter_.unfinished_since(), kForever);
}

TEST_F(FrameCounterTest, PaddingIsNoContent) {
  Begin();
  const std::string padded =
      '\x04' + MessagePrefix(10) + "12345" + std::string(4, '\0');
  ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, 1, "h") +
                 Frame(kData, kPadded, 1, padded)),
            std::nullopt);
  EXPECT_EQ(counter_.unfinished_bytes(), 5);
  ASSERT_EQ(Read(Frame(kData, 0, 1, "12345")), std::nullopt);
  EXPECT_EQ(counter_.unfinished_bytes(), 0);
  // More padding than there is room for.
  ASSERT_EQ(Read(Frame(kData, kPadded, 1, "\xff")), std::nullopt);
}

TEST_F(FrameCounterTest, AMessageOverTheCapIsNotKeptAndSoDoesNotCount) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  // More than there can be streams: none is waited for.
  for (uint32_t stream = 1; stream < 100; stream += 2) {
    ASSERT_EQ(Read(Frame(kHeaders, kEndHeaders, stream, "h") +
                   Frame(kData, 0, stream,
                         MessagePrefix(1001) + std::string(1000, 'x'))),
              std::nullopt);
    EXPECT_EQ(counter_.unfinished_bytes(), 0);
    EXPECT_EQ(counter_.unfinished_since(), kForever);
  }
}

TEST_F(FrameCounterTest, MoreUnfinishedMessagesThanStreamsAreAbuse) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  std::optional<Abuse> abuse;
  uint32_t stream = 1;
  for (; !abuse.has_value() && stream < 1000; stream += 2) {
    abuse = Read(Frame(kHeaders, kEndHeaders, stream, "h") +
                 Frame(kData, 0, stream, MessagePrefix(100) + "x"));
  }
  EXPECT_EQ(abuse, Abuse::kUploads);
  EXPECT_GT(stream, 2 * 10u) << "as many as the limit are none";
}

TEST_F(FrameCounterTest, AFrameThatDoesNotComeHasBegun) {
  Begin();
  ASSERT_EQ(Read(std::string("\0", 1)), std::nullopt);
  EXPECT_EQ(counter_.unfinished_since(), now_);
}

// As a server that ends hands them on to gRPC.
TEST_F(FrameCounterTest, NewCallsCanBeHiddenWhereverTheirBytesAreParted) {
  const std::string before = Preface() + Call(1) + Frame(kHeaders, 0, 3, "be");
  const std::string end_of_before = Frame(kContinuation, kEndHeaders, 3, "gun");
  const std::string ping = Frame(kPing, 0, 0, "12345678");
  const std::string data = Frame(kData, kEndStream, 5, MessagePrefix(0));
  const std::string sent = end_of_before + Frame(kHeaders, 0, 5, "new") +
                           Frame(kContinuation, kEndHeaders, 5, "call") + ping +
                           data;
  const std::string seen = end_of_before + Frame(0xff, 0, 5, "new") +
                           Frame(0xff, kEndHeaders, 5, "call") + ping + data;
  for (size_t cut = 0; cut <= sent.size(); ++cut) {
    FrameCounter counter(Limits());
    std::string first, second;
    ASSERT_EQ(Read(before, now_, &counter, &first), std::nullopt);
    EXPECT_EQ(first, before);
    counter.HideNewCalls();
    ASSERT_EQ(Read(sent.substr(0, cut), now_, &counter, &first), std::nullopt);
    ASSERT_EQ(Read(sent.substr(cut), now_, &counter, &second), std::nullopt);
    ASSERT_EQ(first + second, seen) << "parted at " << cut;
  }
}

TEST_F(FrameCounterTest, HiddenCallsCountAsCalls) {
  Begin();
  ASSERT_EQ(Read(Frame(kSettings, kAck, 0)), std::nullopt);
  counter_.HideNewCalls();
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(Read(Call(2 * i + 1)), std::nullopt);
  }
}

TEST_F(FrameCounterTest, RubbishNeverHoldsMoreThanItSent) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    FrameCounter counter(Limits());
    std::string bytes = Preface();
    for (int i = 0; i < 2000; ++i) {
      // Short lengths, so that there are frames at all.
      bytes.push_back(static_cast<char>(i % 3 == 0 ? 0 : random() % 12));
    }
    for (size_t at = 0; at < bytes.size();) {
      const size_t size =
          std::min<size_t>(1 + random() % 50, bytes.size() - at);
      const auto abuse = Read(bytes.substr(at, size), now_, &counter);
      at += size;
      EXPECT_GE(counter.unfinished_bytes(), 0);
      EXPECT_LE(counter.unfinished_bytes(), static_cast<int64_t>(at));
      if (abuse.has_value()) break;
    }
  }
}

}  // namespace
}  // namespace groupmamba
