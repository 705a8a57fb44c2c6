#include "server/open_streams.h"

#include <thread>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

class FakeStream : public OpenStream {
 public:
  explicit FakeStream(bool busy = false) : busy_(busy) {}

  std::function<void()> ClaimEnd() override {
    ++claims;
    if (busy_) return nullptr;
    return [this] { ++runs; };
  }

  int claims = 0;
  int runs = 0;

 private:
  const bool busy_;
};

class OpenStreamsTest : public ::testing::Test {
 protected:
  SimulatedClock clock_;
  OpenStreams streams_{&clock_};
};

TEST_F(OpenStreamsTest, EachOpenStreamIsTakenToItsEnd) {
  FakeStream idle, busy(true), gone;
  for (FakeStream* stream : {&idle, &busy, &gone}) {
    EXPECT_TRUE(streams_.Add(stream));
  }
  streams_.Remove(&gone);
  streams_.EndAll();
  EXPECT_EQ(idle.runs, 1);
  EXPECT_EQ(busy.claims, 1);
  EXPECT_EQ(busy.runs, 0);
  EXPECT_EQ(gone.claims, 0);
}

TEST_F(OpenStreamsTest, WhoComesLaterIsToEndByItself) {
  streams_.EndAll();
  FakeStream late;
  EXPECT_FALSE(streams_.Add(&late));
  EXPECT_EQ(late.claims, 0);
}

TEST_F(OpenStreamsTest, TheWaitEndsWithTheLastStream) {
  FakeStream first, second;
  streams_.Add(&first);
  streams_.Add(&second);
  const TimePoint start = clock_.Now();
  std::thread wait([&] { streams_.AwaitNone(start + std::chrono::hours(1)); });
  clock_.AwaitWaiters(1);
  streams_.Remove(&first);
  streams_.Remove(&second);
  wait.join();
  EXPECT_EQ(clock_.Now(), start);
}

TEST_F(OpenStreamsTest, TheWaitEndsWhenItsTimeIsUp) {
  FakeStream stays;
  streams_.Add(&stays);
  std::thread wait(
      [&] { streams_.AwaitNone(clock_.Now() + std::chrono::seconds(2)); });
  clock_.AwaitWaiters(1);
  clock_.Advance(std::chrono::seconds(2));
  wait.join();
}

}  // namespace
}  // namespace groupmamba
