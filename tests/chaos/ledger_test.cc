#include "tests/chaos/ledger.h"

#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/schedule.h"

namespace groupmamba::chaos {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Books of three requests that agree.
class LedgerTest : public ::testing::Test {
 protected:
  std::vector<std::string> Mismatches() const {
    return Reconcile(callers_, server_, client::ParseMetrics(page_));
  }

  void ReplaceInPage(const std::string& from, const std::string& to) {
    page_.replace(page_.find(from), from.size(), to);
  }

  std::vector<Entry> callers_ = {{"a", "OK", 1, "0a"},
                                 {"b", "INVALID_ARGUMENT", 0, "0b"},
                                 {"c", "CANCELLED", 0, "0c"},
                                 {"d", "UNAVAILABLE", 0, "0d"}};
  std::vector<Entry> server_ = {{"a", "OK", 1, "0a"},
                                {"b", "INVALID_ARGUMENT", 0, "0b"},
                                {"c", "OK", 1, "0c"}};
  std::string page_ = R"(
groupmamba_requests_started_total{protocol="grpc"} 2
groupmamba_requests_started_total{protocol="v2"} 1
groupmamba_requests_done_total{protocol="grpc"} 3
groupmamba_requests_total{code="OK"} 2
groupmamba_requests_total{code="INVALID_ARGUMENT"} 1
groupmamba_admitted_total{model="m"} 3
groupmamba_admitted_ended_total{model="m",outcome="inferred"} 2
groupmamba_admitted_ended_total{model="m",outcome="failed"} 1
groupmamba_images_total{model="m"} 2
groupmamba_batch_size_sum{model="m"} 2
groupmamba_inflight_requests 0
)";
};

TEST_F(LedgerTest, BooksThatAgreeHaveNoMismatch) {
  EXPECT_THAT(Mismatches(), IsEmpty())
      << "who cancelled, or lost the server, need not know how it ended there";
}

TEST_F(LedgerTest, AnOkToTheCallerIsAnOkToTheServer) {
  server_[0].code = "INTERNAL";
  EXPECT_THAT(Mismatches(),
              Contains("a: OK to its caller, INTERNAL to the server"));
}

TEST_F(LedgerTest, AnAnswerComesFromARequestThatTheServerKnows) {
  server_.erase(server_.begin());
  EXPECT_THAT(Mismatches(),
              Contains("a: OK to its caller, unknown to the server"));
}

TEST_F(LedgerTest, WhatIsServedWasSent) {
  callers_.erase(callers_.begin());
  EXPECT_THAT(Mismatches(), Contains("a: served, but nobody sent it"));
}

TEST_F(LedgerTest, NobodyEndsTwice) {
  server_.push_back(server_[1]);
  EXPECT_THAT(Mismatches(), Contains("server: b ended twice"));
}

TEST_F(LedgerTest, TheRequestIsTheSameOnBothSides) {
  server_[2].crc32 = "ff";
  EXPECT_THAT(Mismatches(), Contains("c: the server saw another request"));
}

TEST_F(LedgerTest, TheVersionIsTheSameOnBothSides) {
  server_[0].version = 2;
  EXPECT_THAT(Mismatches(),
              Contains("a: version 1 to its caller, 2 to the server"));
}

TEST_F(LedgerTest, EachCounterAgreesWithTheJournal) {
  for (const auto& [from, to, mismatch] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"\"v2\"} 1", "\"v2\"} 2", "requests_started_total: 4, not 3"},
           {"done_total{protocol=\"grpc\"} 3",
            "done_total{protocol=\"grpc\"} 2", "requests_done_total: 2, not 3"},
           {"\"OK\"} 2", "\"OK\"} 1", "requests_total of OK: 1, not 2"},
           {"\"inferred\"} 2", "\"inferred\"} 3",
            "admitted_ended_total: 4, not 3"},
           {"images_total{model=\"m\"} 2", "images_total{model=\"m\"} 1",
            "images_total: fewer than were inferred"},
           {"requests 0", "requests 1", "inflight_requests: 1, not 0"}}) {
    const std::string before = page_;
    ReplaceInPage(from, to);
    EXPECT_THAT(Mismatches(), Contains(mismatch));
    page_ = before;
  }
}

// A server that has got over three kills, of which one is not noticed yet, and
// two new versions.
class DamageTest : public ::testing::Test {
 protected:
  std::vector<std::string> Harm() const {
    return CheckHarm(callers_, loads_, server_, client::ParseMetrics(page_),
                     damage_);
  }

  const Damage damage_ = {.versions = 3, .kills = 3, .dead = 1};
  std::vector<Entry> callers_ = {{"a", "OK", 1, "0a"},
                                 {"b", "INTERNAL", 0, "0b"}};
  std::vector<Entry> loads_ = {{"c", "OK", 3, "0c"},
                               {"d", "DEADLINE_EXCEEDED", 0, "0d"}};
  std::vector<Entry> server_ = {{"a", "OK", 1, "0a"},
                                {"b", "INTERNAL", 0, "0b"},
                                {"c", "OK", 3, "0c"},
                                {"d", "CANCELLED", 0, "0d"}};
  std::string page_ = "groupmamba_connections_abused_total 0\n";
};

TEST_F(DamageTest, WhatItExcusesIsNoMismatch) {
  EXPECT_THAT(Harm(), IsEmpty());
}

TEST_F(DamageTest, AKillEndsOneCall) {
  for (const char* id : {"e", "f", "g"}) {
    EXPECT_THAT(Harm(), IsEmpty());
    server_.push_back({id, "INTERNAL", 0, "0"});
  }
  EXPECT_THAT(Harm(),
              Contains("4 calls ended with INTERNAL, 3 decoders were killed"));
}

TEST_F(DamageTest, AnAnswerIsFromAVersionThatWas) {
  server_[0].version = 4;
  server_[2].version = 0;
  EXPECT_THAT(Harm(), ElementsAre("a: OK from version 4, which never was",
                                  "c: OK from version 0, which never was"));
}

TEST_F(DamageTest, NoConnectionIsLost) {
  callers_[0].code = "UNAVAILABLE";
  server_[3].code = "UNKNOWN";
  EXPECT_THAT(Harm(), ElementsAre("server: d ended with UNKNOWN",
                                  "caller: a ended with UNAVAILABLE"));
}

TEST_F(DamageTest, NoConnectionIsCalledAbuse) {
  page_ = "groupmamba_connections_abused_total{reason=\"resets\"} 1\n";
  EXPECT_THAT(Harm(), ElementsAre("connections_abused_total: 1, not 0"));
}

TEST_F(DamageTest, ALoadClientSeesNothingOfIt) {
  for (const char* code : {"INTERNAL", "NOT_FOUND", "CANCELLED"}) {
    loads_[0].code = code;
    EXPECT_THAT(Harm(),
                ElementsAre(absl::StrCat("load client: c ended with ", code)));
  }
}

TEST_F(DamageTest, IsRepaired) {
  const std::string whole = R"(
groupmamba_decoder_restarts_total 2
groupmamba_reload_failures_total 0
groupmamba_model_ready{model="m",version="2"} 0
groupmamba_model_ready{model="m",version="3"} 1
)";
  EXPECT_THAT(CheckRepair(client::ParseMetrics(whole), damage_), IsEmpty());
  for (const auto& [from, to, mismatch] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"restarts_total 2", "restarts_total 3",
            "decoder_restarts_total: 3, not 2"},
           {"failures_total 0", "failures_total 1",
            "reload_failures_total: 1, not 0"},
           {"\"2\"} 0", "\"2\"} 1", "model_ready: 2, not 1"},
           {"\"3\"} 1", "\"3\"} 0",
            "model_ready of the newest version: 0, not 1"}}) {
    std::string page = whole;
    page.replace(page.find(from), from.size(), to);
    EXPECT_THAT(CheckRepair(client::ParseMetrics(page), damage_),
                Contains(mismatch));
  }
}

TEST(ReadJournalTest, LeavesOutWhatWasNotSentAndSaysWhatIsNoLine) {
  std::istringstream in(
      "id,planned_s,sent_s,done_s,code,version,crc32\n"
      "run-7,1.5,1.5,1.6,OK,3,000abc07\n"
      ",2.0,,,DROPPED,0,\n"
      "run-8,1.5\n");
  const std::vector<Entry> entries = ReadJournal(&in);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].id, "run-7");
  EXPECT_EQ(entries[0].code, "OK");
  EXPECT_EQ(entries[0].version, 3);
  EXPECT_EQ(entries[0].crc32, "000abc07");
  EXPECT_EQ(entries[1].id, "");
}

TEST(ScheduleTest, ASeedGivesTheSameScheduleAndAnotherOneAnother) {
  EXPECT_EQ(Fingerprint(MakeSchedule(5)), Fingerprint(MakeSchedule(5)));
  EXPECT_NE(Fingerprint(MakeSchedule(5)), Fingerprint(MakeSchedule(6)));
}

TEST(ScheduleTest, TheFingerprintTellsEachFaultApart) {
  const Schedule schedule = MakeSchedule(5);
  Schedule reload = schedule;
  reload.reloads[0] += Duration(1);
  Schedule swap = schedule;
  swap.swaps[0] += Duration(1);
  Schedule kill = schedule;
  kill.kills[0].at += Duration(1);
  for (const Schedule& other : {reload, swap, kill}) {
    EXPECT_NE(Fingerprint(other), Fingerprint(schedule));
  }
}

TEST(ScheduleTest, WithoutDecodersNoneIsKilled) {
  const Schedule schedule = MakeSchedule(5, /*isolated=*/false);
  EXPECT_THAT(schedule.kills, IsEmpty());
  EXPECT_EQ(schedule.decoders, 0);
}

}  // namespace
}  // namespace groupmamba::chaos
