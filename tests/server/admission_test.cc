#include "server/admission.h"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using std::chrono::milliseconds;

Ticket Enter(Admission& gate, const Applicant& applicant) {
  return std::get<Ticket>(gate.Enter(applicant));
}

Ticket Enter(Admission& gate, int64_t bytes) {
  return Enter(gate, Applicant{.bytes = bytes});
}

std::optional<Reason> Refusal(Admission& gate, const Applicant& applicant) {
  auto entered = gate.Enter(applicant);
  const Reason* reason = std::get_if<Reason>(&entered);
  return reason == nullptr ? std::nullopt : std::optional<Reason>(*reason);
}

std::optional<Reason> Refusal(Admission& gate, int64_t bytes) {
  return Refusal(gate, Applicant{.bytes = bytes});
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

TEST(AdmissionTest, RefusesWhatWouldBeLate) {
  Admission gate({});
  const Applicant late{.time_left = milliseconds(10),
                       .predicted = milliseconds(11)};
  EXPECT_EQ(Refusal(gate, late), Reason::kLate);
  const Applicant in_time{.time_left = milliseconds(10),
                          .predicted = milliseconds(10)};
  EXPECT_EQ(Refusal(gate, in_time), std::nullopt);
}

// Lets a client in until it is refused; how many were.
int Fill(Admission& gate, uint64_t client, std::vector<Ticket>* tickets,
         Reason* reason) {
  for (int entered = 0;; ++entered) {
    auto result = gate.Enter({.client = client});
    if (const Reason* refused = std::get_if<Reason>(&result)) {
      *reason = *refused;
      return entered;
    }
    tickets->push_back(std::get<Ticket>(std::move(result)));
  }
}

TEST(AdmissionTest, OneClientLeavesAFifthOfThePlacesToOthers) {
  Admission gate({.max_waiting = 100});
  std::vector<Ticket> tickets;
  Reason reason = Reason::kInternal;
  EXPECT_EQ(Fill(gate, 1, &tickets, &reason), 80);
  EXPECT_EQ(reason, Reason::kQueueFull);
  const Ticket other = Enter(gate, Applicant{.client = 2});
  EXPECT_EQ(Refusal(gate, Applicant{.client = 1}), Reason::kOverShare);
}

TEST(AdmissionTest, ClientsWhoAskWithoutEndGetTheSame) {
  Admission gate({.max_waiting = 90});
  std::vector<Ticket> tickets;
  for (int round = 0; round < 40; ++round) {
    for (uint64_t client : {1, 2}) {
      auto result = gate.Enter({.client = client});
      if (auto* ticket = std::get_if<Ticket>(&result)) {
        tickets.push_back(std::move(*ticket));
      }
    }
  }
  Reason reason = Reason::kInternal;
  EXPECT_EQ(tickets.size(), 80u);
  EXPECT_EQ(Fill(gate, 1, &tickets, &reason), 0);
  EXPECT_EQ(Fill(gate, 2, &tickets, &reason), 0);
  EXPECT_EQ(reason, Reason::kOverShare);
  EXPECT_GT(Fill(gate, 3, &tickets, &reason), 0);
}

TEST(AdmissionTest, AClientsTimeInTheQueueCountsLikeItsPlaces) {
  Admission gate({});
  Applicant applicant{.client = 1,
                      .time_left = milliseconds(100),
                      .per_picture = milliseconds(10)};
  std::vector<Ticket> tickets;
  for (int i = 0; i < 6; ++i) tickets.push_back(Enter(gate, applicant));
  // 60 ms of its own wait, and 4 * 14 ms are free.
  applicant.predicted = milliseconds(86);
  EXPECT_EQ(Refusal(gate, applicant), Reason::kLate);
  applicant.client = 2;
  const Ticket other = Enter(gate, applicant);
  applicant.client = 1;
  EXPECT_EQ(Refusal(gate, applicant), Reason::kOverShare);
}

TEST(AdmissionTest, WhoComputesNoLongerCountsAgainstTheShare) {
  Admission gate({.max_waiting = 10});
  std::vector<Ticket> tickets;
  Reason reason = Reason::kInternal;
  EXPECT_EQ(Fill(gate, 1, &tickets, &reason), 8);
  for (Ticket& ticket : tickets) ticket.LeaveQueue();
  std::vector<Ticket> more;
  EXPECT_EQ(Fill(gate, 1, &more, &reason), 8);
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
