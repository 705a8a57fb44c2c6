#include "client/load/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace groupmamba::client {
namespace {

using ::testing::HasSubstr;

// A run of `p99` with its range, that answered so many calls a second.
Json RunJson(double p99, double low, double high, int answered) {
  return {{"schema", 2},
          {"started", "2026-11-25T12:00:00Z"},
          {"model", "fashion"},
          {"plan", {{"loop", "open"}, {"rate_per_s", 200}, {"seed", 1}}},
          {"planned", 2000},
          {"failed", 0},
          {"dropped", 0},
          {"achieved_per_s", answered},
          {"latency_ms", {{"p99", p99}}},
          {"latency_range_ms", {{"p99", {low, high}}}},
          {"series",
           {{"interval_s", 1},
            {"answered", {answered - 1, answered, answered + 1, answered}}}}};
}

std::string Verdict(const Json& comparison, const std::string& name) {
  for (const Json& row : comparison["figures"]) {
    if (row["name"] == name) return row["verdict"];
  }
  return "none";
}

TEST(BaselineTest, OnlyRangesThatDoNotOverlapAreAChange) {
  const Json before = RunJson(50, 45, 55, 200);
  EXPECT_EQ(Verdict(Compare(before, RunJson(53, 48, 58, 200)), "p99, ms"),
            "same");
  EXPECT_EQ(Verdict(Compare(before, RunJson(70, 60, 80, 200)), "p99, ms"),
            "worse");
  EXPECT_EQ(Verdict(Compare(before, RunJson(30, 25, 40, 200)), "p99, ms"),
            "better");
  EXPECT_EQ(
      Verdict(Compare(before, RunJson(50, 45, 55, 201)), "achieved, OK/s"),
      "same");
  EXPECT_EQ(
      Verdict(Compare(before, RunJson(50, 45, 55, 220)), "achieved, OK/s"),
      "better");
  EXPECT_EQ(
      Verdict(Compare(before, RunJson(50, 45, 55, 180)), "achieved, OK/s"),
      "worse");
}

TEST(BaselineTest, AFewErrorsOfThousandsMayBeChanceAndManyMayNot) {
  const Json before = RunJson(50, 45, 55, 200);
  Json now = before;
  now["failed"] = 2;
  EXPECT_EQ(Verdict(Compare(before, now), "failed and dropped, ratio"), "same");
  now["failed"] = 20;
  EXPECT_EQ(Verdict(Compare(before, now), "failed and dropped, ratio"),
            "worse");
}

TEST(BaselineTest, WhatTheLoadsDifferInIsNamed) {
  Json now = RunJson(50, 45, 55, 200);
  now["plan"]["seed"] = 2;
  EXPECT_EQ(Compare(RunJson(50, 45, 55, 200), now)["note"], "");
  now["plan"]["rate_per_s"] = 300;
  now["model"] = "other";
  const Json comparison = Compare(RunJson(50, 45, 55, 200), now);
  EXPECT_EQ(comparison["note"], "not the same in both runs: model, rate_per_s");
  EXPECT_THAT(ComparisonText(comparison), HasSubstr("not the same"));
}

TEST(BaselineTest, FiguresThatOneOfThemLacksAreLeftOut) {
  EXPECT_EQ(Compare({{"schema", 2}}, RunJson(1, 1, 1, 1))["figures"].size(),
            0u);
  EXPECT_EQ(Compare({{"schema", 2}, {"latency_ms", "?"}, {"plan", 3}},
                    RunJson(1, 1, 1, 1))["figures"]
                .size(),
            0u);
}

TEST(BaselineTest, WhatIsNoReportIsRefused) {
  for (const char* text :
       {"", "{", "[]", "3", "{}", "{\"schema\": \"2\"}", "{\"schema\": 1}"}) {
    std::istringstream in(text);
    EXPECT_EQ(ReadBaseline(&in).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  std::istringstream in("{\"schema\": 2}");
  EXPECT_TRUE(ReadBaseline(&in).ok());
}

}  // namespace
}  // namespace groupmamba::client
