// Decoders that were taken over (tests/testing/hostile_decoder.cc): whatever
// one does, its picture gets an answer and the next picture is decoded.

#include "server/isolation/decoder_pool.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "server/status_map.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

const char kHostile[] = GM_BIN_DIR "/hostile_decoder";
constexpr TransformSpec kSpec = {
    .resize = 32, .crop_height = 32, .crop_width = 32};

class DecoderPoolTest : public ::testing::Test {
 protected:
  // Hung decoders are found soon: only tests with a decoder that hangs may
  // shorten this, since a busy machine makes all slow.
  static DecoderOptions Options() {
    return {.program = kHostile,
            .max_in_bytes = 1 << 20,
            .hang_after = std::chrono::minutes(1)};
  }

  void Start(const DecoderOptions& options, int count = 1) {
    auto started = DecoderPool::Start(options, count, &clock_);
    ASSERT_TRUE(started.ok()) << started.status();
    pool_ = *std::move(started);
  }

  absl::Status Send(absl::string_view command) {
    pixels_.assign(3 * 32 * 32, 0);
    return pool_->Prepare(
        {.kind = Picture::Kind::kFile,
         .bytes = {reinterpret_cast<const uint8_t*>(command.data()),
                   command.size()}},
        kSpec, absl::MakeSpan(pixels_));
  }

  // The pixels that a decoder writes arrive, and nobody was restarted since.
  void ExpectWorks() {
    EXPECT_TRUE(Send("work").ok());
    EXPECT_EQ(pixels_, std::vector<uint8_t>(3 * 32 * 32, 42));
  }

  SimulatedClock clock_;
  std::vector<uint8_t> pixels_;
  std::unique_ptr<DecoderPool> pool_;
};

TEST_F(DecoderPoolTest, ThePixelsOfTheProcessArrive) {
  Start(Options());
  ExpectWorks();
  ExpectWorks();
  EXPECT_EQ(pool_->restarts(), 0);
}

class DecoderCrashTest : public DecoderPoolTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(DecoderCrashTest, FailsItsPictureAndIsRestarted) {
  Start(Options());
  EXPECT_EQ(Send(GetParam()), Error(Reason::kDecoderCrash));
  ExpectWorks();
  EXPECT_EQ(pool_->restarts(), 1);
}

INSTANTIATE_TEST_SUITE_P(All, DecoderCrashTest,
                         ::testing::Values("crash", "be killed", "open a file",
                                           "hang up", "answer half",
                                           "answer with no outcome",
                                           "claim too long a text",
                                           "refuse without a word",
                                           "forge a line"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_F(DecoderPoolTest, OneThatHangsIsKilled) {
  DecoderOptions options = Options();
  options.hang_after = std::chrono::milliseconds(500);
  Start(options);
  EXPECT_EQ(Send("stop"), Error(Reason::kDecoderCrash));
  ExpectWorks();
}

TEST_F(DecoderPoolTest, OneThatComputesTooLongIsEndedByTheKernel) {
  DecoderOptions options = Options();
  options.limits.max_time = std::chrono::milliseconds(1);
  Start(options);
  EXPECT_EQ(Send("spin"), Error(Reason::kDecoderCrash));
  ExpectWorks();
}

TEST_F(DecoderPoolTest, ARefusalIsPassedOn) {
  Start(Options());
  EXPECT_EQ(Send("refuse"),
            absl::InvalidArgumentError("corrupt: says the decoder"));
  EXPECT_EQ(pool_->restarts(), 0);
}

TEST_F(DecoderPoolTest, AFailureHasTheServersOwnWords) {
  Start(Options());
  EXPECT_EQ(Send("fail"), Error(Reason::kInternal));
  EXPECT_EQ(pool_->restarts(), 0);
}

// It may come before the next picture is sent, or after.
TEST_F(DecoderPoolTest, WhatWasSaidUnaskedIsNobodysAnswer) {
  Start(Options());
  EXPECT_TRUE(Send("answer twice").ok());
  const absl::Status status = Send("refuse");
  EXPECT_TRUE(status == Error(Reason::kDecoderCrash) ||
              status == absl::InvalidArgumentError("corrupt: says the decoder"))
      << status;
  ExpectWorks();
  EXPECT_EQ(pool_->restarts(), 1);
}

TEST_F(DecoderPoolTest, TheProcessInheritsNoFileAndNoEnvironment) {
  Start(Options());
  EXPECT_TRUE(Send("look around").ok());
}

TEST_F(DecoderPoolTest, TheMemoryCannotBeTakenAway) {
  Start(Options());
  EXPECT_TRUE(Send("shrink the memory").ok());
}

TEST_F(DecoderPoolTest, OneThatDiesWithNothingToDoCostsNoPicture) {
  Start(Options());
  const std::vector<pid_t> pids = pool_->idle_pids();
  ASSERT_EQ(pids.size(), 1u);
  kill(pids[0], SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(pids[0]), &info, WEXITED | WNOWAIT);
  ExpectWorks();
  EXPECT_EQ(pool_->restarts(), 1);
}

TEST_F(DecoderPoolTest, WhatIsOnlyCopiedIsNotHandedOver) {
  Start(Options());
  const std::vector<uint8_t> input(3 * 32 * 32, 7);
  for (const auto kind : {Picture::Kind::kModelInput, Picture::Kind::kPixels}) {
    pixels_.assign(input.size(), 0);
    EXPECT_TRUE(
        pool_
            ->Prepare({.kind = kind, .bytes = input, .width = 32, .height = 32},
                      kSpec, absl::MakeSpan(pixels_))
            .ok());
    EXPECT_EQ(pixels_, input);
  }
}

TEST_F(DecoderPoolTest, MoreBytesThanTheMemoryHoldsAreNotCopied) {
  Start(Options());
  EXPECT_EQ(Send(std::string((1 << 20) + 1, 'x')), Error(Reason::kInternal));
  EXPECT_TRUE(Send(std::string(1 << 20, 'x')).ok());
  ExpectWorks();
}

TEST_F(DecoderPoolTest, PausesBeforeRestartsDoubleUntilAPictureSucceeds) {
  Start(Options());
  // The first is restarted at once.
  EXPECT_EQ(Send("crash"), Error(Reason::kDecoderCrash));
  EXPECT_EQ(Send("crash"), Error(Reason::kDecoderCrash));
  for (const int pause_ms : {10, 20, 40}) {
    const TimePoint due = clock_.Now() + std::chrono::milliseconds(pause_ms);
    std::thread sender(
        [&] { EXPECT_EQ(Send("crash"), Error(Reason::kDecoderCrash)); });
    clock_.AwaitWaiter(due);
    clock_.Advance(std::chrono::milliseconds(pause_ms));
    sender.join();
  }
  clock_.Advance(std::chrono::seconds(1));
  ExpectWorks();
  EXPECT_EQ(Send("crash"), Error(Reason::kDecoderCrash));
  ExpectWorks();
}

TEST_F(DecoderPoolTest, WhileOneIsHeldUpTheOthersWork) {
  DecoderOptions options = Options();
  options.hang_after = std::chrono::seconds(3);
  Start(options, 2);
  std::thread sender([&] {
    std::vector<uint8_t> out(3 * 32 * 32);
    const std::vector<uint8_t> stop = {'s', 't', 'o', 'p'};
    EXPECT_EQ(pool_->Prepare({.kind = Picture::Kind::kFile, .bytes = stop},
                             kSpec, absl::MakeSpan(out)),
              Error(Reason::kDecoderCrash));
  });
  while (pool_->idle_pids().size() == 2) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) ExpectWorks();
  EXPECT_EQ(pool_->restarts(), 0);
  sender.join();
}

TEST_F(DecoderPoolTest, ManyThreadsCrashingAndWorkingEachGetTheirOwnAnswer) {
  Start(Options(), 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const std::string command = i == 0 ? "be killed" : "work";
      std::vector<uint8_t> out(3 * 32 * 32);
      for (int turn = 0; turn < (i == 0 ? 3 : 50); ++turn) {
        const absl::Status status = pool_->Prepare(
            {.kind = Picture::Kind::kFile,
             .bytes = {reinterpret_cast<const uint8_t*>(command.data()),
                       command.size()}},
            kSpec, absl::MakeSpan(out));
        EXPECT_EQ(status,
                  i == 0 ? Error(Reason::kDecoderCrash) : absl::OkStatus());
        clock_.Advance(std::chrono::seconds(1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(DecoderPoolTest, WhatCannotBeStartedIsAnErrorOfTheStart) {
  for (const char* program : {"/nonexistent/decoder", "/bin/true"}) {
    DecoderOptions options = Options();
    options.program = program;
    EXPECT_FALSE(DecoderPool::Start(options, 1, &clock_).ok()) << program;
  }
}

TEST_F(DecoderPoolTest, WhatCannotBeRestartedFailsItsPictures) {
  const testing::TempDir folder;
  DecoderOptions options = Options();
  options.program = folder.Path("decoder");
  std::filesystem::create_symlink(kHostile, options.program);
  Start(options);
  EXPECT_EQ(Send("crash"), Error(Reason::kDecoderCrash));
  std::filesystem::remove(options.program);
  EXPECT_EQ(Send("work"), Error(Reason::kDecoderCrash));
  std::filesystem::create_symlink(kHostile, options.program);
  clock_.Advance(std::chrono::seconds(1));
  ExpectWorks();
}

TEST_F(DecoderPoolTest, TheProcessesEndWithThePool) {
  Start(Options(), 2);
  const std::vector<pid_t> pids = pool_->idle_pids();
  ASSERT_EQ(pids.size(), 2u);
  pool_ = nullptr;
  for (const pid_t pid : pids) EXPECT_NE(kill(pid, 0), 0);
}

}  // namespace
}  // namespace groupmamba
