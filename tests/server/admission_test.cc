#include "server/admission.h"

#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

Ticket Enter(Admission& gate, int64_t bytes) {
  return std::get<Ticket>(gate.Enter(bytes));
}

std::optional<Reason> Refusal(Admission& gate, int64_t bytes) {
  auto entered = gate.Enter(bytes);
  const Reason* reason = std::get_if<Reason>(&entered);
  return reason == nullptr ? std::nullopt : std::optional<Reason>(*reason);
}

TEST(AdmissionTest, RefusesWhenAsManyWaitAsMay) {
  Admission gate({.max_waiting = 2});
  const Ticket a = Enter(gate, 1);
  {
    const Ticket b = Enter(gate, 1);
    EXPECT_EQ(Refusal(gate, 1), Reason::kQueueFull);
  }
  EXPECT_EQ(Refusal(gate, 1), std::nullopt);
}

TEST(AdmissionTest, ARequestThatComputesNoLongerWaitsButIsStillIn) {
  Admission gate({.max_waiting = 1});
  Ticket a = Enter(gate, 7);
  a.LeaveQueue();
  a.LeaveQueue();
  EXPECT_EQ(gate.usage().waiting, 0);
  EXPECT_EQ(gate.usage().in_flight, 1);
  EXPECT_EQ(gate.usage().bytes, 7);
  const Ticket b = Enter(gate, 1);
  EXPECT_EQ(gate.usage().waiting, 1);
}

TEST(AdmissionTest, RefusesWhatWouldHoldTooManyBytes) {
  Admission gate({.max_waiting = 9, .max_bytes = 10});
  const Ticket a = Enter(gate, 6);
  EXPECT_EQ(Refusal(gate, 5), Reason::kBytesFull);
  EXPECT_EQ(Refusal(gate, 4), std::nullopt);
  EXPECT_EQ(Refusal(gate, INT64_MAX), Reason::kBytesFull);
}

TEST(AdmissionTest, NobodyEntersAClosedGate) {
  Admission gate({});
  gate.Close();
  EXPECT_EQ(Refusal(gate, 1), Reason::kDraining);
}

TEST(AdmissionTest, AMovedTicketLeavesOnce) {
  Admission gate({});
  {
    Ticket a = Enter(gate, 3);
    Ticket b = std::move(a);
    a = Enter(gate, 4);
    b = std::move(a);
    EXPECT_EQ(gate.usage().in_flight, 1);
    EXPECT_EQ(gate.usage().bytes, 4);
  }
  EXPECT_EQ(gate.usage().in_flight, 0);
  EXPECT_EQ(gate.usage().waiting, 0);
  EXPECT_EQ(gate.usage().bytes, 0);
}

TEST(AdmissionTest, AwaitEmptyReturnsWhenTheLastHasLeft) {
  SimulatedClock clock;
  Admission gate({});
  std::optional<Ticket> ticket = Enter(gate, 1);
  std::thread waiter([&] { EXPECT_TRUE(gate.AwaitEmpty(&clock, kForever)); });
  clock.AwaitWaiters(1);
  ticket.reset();
  waiter.join();
}

TEST(AdmissionTest, AwaitEmptyGivesUpAtItsTime) {
  SimulatedClock clock;
  Admission gate({});
  const Ticket ticket = Enter(gate, 1);
  const TimePoint until = clock.Now() + std::chrono::seconds(1);
  std::thread waiter([&] { EXPECT_FALSE(gate.AwaitEmpty(&clock, until)); });
  clock.AwaitWaiter(until);
  clock.Advance(std::chrono::seconds(1));
  waiter.join();
}

}  // namespace
}  // namespace groupmamba
