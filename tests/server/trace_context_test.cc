#include "server/trace_context.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParent[] = "00f067aa0ba902b7";

TEST(TraceparentTest, TellsTraceParentAndWhetherItIsRecorded) {
  const TraceContext context = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(context.trace_id, kTrace);
  EXPECT_EQ(context.parent_id, kParent);
  EXPECT_TRUE(context.sampled);
  EXPECT_FALSE(ParseTraceparent(
                   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
                   .sampled);
  EXPECT_TRUE(ParseTraceparent(
                  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff")
                  .sampled)
      << "other flags are for later versions";
}

TEST(TraceparentTest, ALaterVersionMayHoldMore) {
  EXPECT_EQ(ParseTraceparent(
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
                .trace_id,
            kTrace);
}

TEST(TraceparentTest, WhatIsNoneIsNoTrace) {
  for (const char* header :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(ParseTraceparent(header).trace_id, "") << header;
  }
}

TEST(RequestIdTest, SaneIsWhatCanStandInALogAndAJournal) {
  EXPECT_TRUE(IsSaneRequestId("5f3a9c12-17"));
  EXPECT_TRUE(IsSaneRequestId("Root=1-67891233-abcdef012345678912345678"));
  EXPECT_TRUE(IsSaneRequestId(std::string(kMaxRequestId, 'x')));
  for (const std::string& id :
       {std::string(), std::string(kMaxRequestId + 1, 'x'), std::string("a,b"),
        std::string("a b"), std::string("a\nb"), std::string("a\"b"),
        std::string("a\0b", 3), std::string("\xc3\xa4")}) {
    EXPECT_FALSE(IsSaneRequestId(id)) << id;
  }
}

TEST(NamesTest, NoneComesTwice) {
  Names names(7);
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i) {
    EXPECT_TRUE(seen.insert(names.SpanId()).second);
  }
  EXPECT_EQ(names.SpanId().size(), 16u);
  EXPECT_EQ(names.TraceId().size(), 32u);
}

TEST(NamesTest, DrawsTheShareThatIsAskedFor) {
  Names names(7);
  int drawn = 0;
  for (int i = 0; i < 10000; ++i) {
    EXPECT_FALSE(names.Draw(0));
    EXPECT_TRUE(names.Draw(1));
    drawn += names.Draw(0.1);
  }
  EXPECT_NEAR(drawn, 1000, 100);
}

}  // namespace
}  // namespace groupmamba
