// How a server ends: drains, lost devices, models that hang. As a process:
// drain_test.cc.

#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/puppet_server_fixture.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr Duration kLinger = std::chrono::seconds(5);

class ServerEndTest : public PuppetServerFixture {
 protected:
  // A server that has begun to drain, and lingers. The thread ends with it.
  std::thread StartAndLinger(SimulatedClock* clock) {
    Start(
        Options(), [this](const ModelFolder&) { return puppet_.MakeEngine(); },
        clock);
    std::thread drain(
        [this] { EXPECT_TRUE(server_->Drain({.linger = kLinger})); });
    clock->AwaitWaiter(clock->Now() + kLinger);
    return drain;
  }
};

TEST_F(ServerEndTest, ALostDeviceEndsTheServing) {
  std::promise<void> lost;
  ServerOptions options = Options();
  options.on_device_lost = [&lost] { lost.set_value(); };
  Start(options, [this](const ModelFolder&) { return puppet_.MakeEngine(); });
  puppet_.LoseDevice();
  v1::ClassifyResponse response;
  EXPECT_EQ(Classify(PlainPicture(1), &response).error_code(),
            grpc::StatusCode::INTERNAL);
  lost.get_future().wait();
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Health("fake"), HealthCheckResponse::NOT_SERVING);
}

TEST_F(ServerEndTest, DrainingAnswersWhatIsInsideAndRefusesWhatIsNew) {
  StartAndOccupy(Options());
  grpc::ClientContext context;
  const auto watch = health_->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  std::thread drain([&] { EXPECT_TRUE(server_->Drain({})); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  // Health comes first; until the gate is closed an empty file is still looked
  // at.
  v1::ClassifyResponse reply;
  grpc::Status status = ClassifyFile("", &reply);
  while (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    status = ClassifyFile("", &reply);
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), ::testing::StartsWith("draining: "));
  puppet_.ReleaseAll();
  drain.join();
  AwaitFirst();
}

TEST_F(ServerEndTest, WhileItLingersItServesOnAsNotServing) {
  SimulatedClock clock;
  std::thread drain = StartAndLinger(&clock);
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  v1::ClassifyResponse response;
  EXPECT_TRUE(Classify(PlainPicture(1), &response).ok());
  clock.Advance(kLinger);
  drain.join();
  EXPECT_EQ(Classify(PlainPicture(1), &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  server_.reset();  // before the clock goes
}

TEST_F(ServerEndTest, HasteEndsTheLinger) {
  SimulatedClock clock;
  const TimePoint start = clock.Now();
  std::thread drain = StartAndLinger(&clock);
  server_->HastenDrain();
  drain.join();
  EXPECT_EQ(clock.Now(), start);
  server_.reset();
}

TEST_F(ServerEndTest, WhoIsInAModelThatHangsGetsUnavailableWithinTheGrace) {
  SimulatedClock clock;
  StartAndOccupy(Options(), &clock);
  const TimePoint start = clock.Now();
  bool drained = true;
  std::thread drain(
      [&] { drained = server_->Drain({.grace = std::chrono::seconds(8)}); });
  // An eighth of the grace is for connections, 2 s for the batch that runs.
  clock.AwaitWaiter(start + std::chrono::seconds(5));
  clock.Advance(std::chrono::seconds(5));
  clock.AwaitWaiter(start + std::chrono::seconds(7));
  clock.Advance(std::chrono::seconds(2));
  drain.join();
  EXPECT_FALSE(drained);
  AwaitFirst(grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(first_status_.error_message(),
              ::testing::StartsWith("draining: "));
  // Before the clock goes.
  puppet_.ReleaseAll();
  server_.reset();
}

TEST_F(ServerEndTest, AModelThatHangsEndsTheServing) {
  SimulatedClock clock;
  std::promise<void> lost;
  ServerOptions options = Options();
  options.hang_after = std::chrono::seconds(3);
  options.pipeline.default_deadline = std::chrono::seconds(2);
  options.on_device_lost = [&lost] { lost.set_value(); };
  StartAndOccupy(options, &clock);
  const TimePoint start = clock.Now();
  clock.AwaitWaiter(start + std::chrono::seconds(2));
  clock.Advance(std::chrono::seconds(2));
  // The server's own deadline holds in the model, too.
  AwaitFirst(grpc::StatusCode::DEADLINE_EXCEEDED);
  clock.AwaitWaiter(start + std::chrono::seconds(3));
  clock.Advance(std::chrono::seconds(1));
  lost.get_future().wait();
  EXPECT_EQ(Health(""), HealthCheckResponse::NOT_SERVING);
  puppet_.ReleaseAll();
  server_.reset();
}

}  // namespace
}  // namespace groupmamba
