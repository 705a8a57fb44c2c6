#include "client/plan/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace groupmamba::client {
namespace {

using ::testing::HasSubstr;

constexpr char kPage[] = R"(# TYPE groupmamba_batch_time_seconds gauge
groupmamba_batch_time_seconds{model="a",size="1"} 0.005
groupmamba_batch_time_seconds{model="a",size="8"} 0.0125
groupmamba_batch_time_seconds{model="b",size="1"} 0.03
groupmamba_stage_duration_seconds_count{model="a",stage="decode"} 10
groupmamba_stage_duration_seconds_sum{model="a",stage="decode"} 0.02
groupmamba_stage_duration_seconds_sum{model="a",stage="queue"} 5
groupmamba_stage_duration_seconds_sum{model="b",stage="decode"} 7
)";

TEST(ProfileTest, AMetricsPageTellsTheTimesOfOneModel) {
  const auto profile = ParseProfile(kPage, "a");
  ASSERT_TRUE(profile.ok()) << profile.status();
  ASSERT_EQ(profile->batch_times.size(), 2u);
  EXPECT_NEAR(ToMilliseconds(profile->batch_times.at(1)), 5, 1e-6);
  EXPECT_NEAR(ToMilliseconds(profile->batch_times.at(8)), 12.5, 1e-6);
  EXPECT_EQ(profile->policy.max_batch, 8);
  EXPECT_NEAR(ToMilliseconds(profile->decode), 2, 1e-6);
  EXPECT_EQ(ParseProfile(kPage, "b")->policy.max_batch, 1);
}

TEST(ProfileTest, AMetricsPageTellsTheServersSettings) {
  const auto profile =
      ParseProfile(std::string(kPage) +
                       "groupmamba_decode_threads 4\n"
                       "groupmamba_model_instances{model=\"a\"} 2\n"
                       "groupmamba_model_instances{model=\"b\"} 3\n"
                       "groupmamba_batch_max_delay_seconds{model=\"a\"} 0.007\n"
                       "groupmamba_batch_slo_seconds{model=\"a\"} 0.05\n",
                   "a");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->decode_threads, 4);
  EXPECT_EQ(profile->instances, 2);
  EXPECT_NEAR(ToMilliseconds(profile->policy.max_delay), 7, 1e-6);
  EXPECT_NEAR(ToMilliseconds(profile->policy.slo), 50, 1e-6);
}

TEST(ProfileTest, JsonIsReadAloneOrInsideAReport) {
  const std::string json =
      R"({"batch_ms": {"1": 5, "4": 8.5}, "decode_ms": 0.5, "strays": 0.1,
          "decode_threads": 4, "transport_ms": 2, "instances": 3,
          "max_delay_ms": 7, "slo_ms": 50})";
  for (const std::string& text :
       {json, R"({"target": "x", "profile": )" + json + "}"}) {
    const auto profile = ParseProfile(text, "");
    ASSERT_TRUE(profile.ok()) << profile.status();
    EXPECT_EQ(profile->policy.max_batch, 4);
    EXPECT_NEAR(ToMilliseconds(profile->batch_times.at(4)), 8.5, 1e-6);
    EXPECT_NEAR(ToMilliseconds(profile->decode), 0.5, 1e-6);
    EXPECT_EQ(profile->strays, 0.1);
    EXPECT_EQ(profile->decode_threads, 4);
    EXPECT_EQ(ToMilliseconds(profile->transport), 2);
    EXPECT_EQ(profile->instances, 3);
    EXPECT_EQ(ToMilliseconds(profile->policy.max_delay), 7);
    EXPECT_EQ(ToMilliseconds(profile->policy.slo), 50);
  }
}

TEST(ProfileTest, WhatIsMissingOrWrongIsSaid) {
  for (const auto& [text, sentence] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "neither JSON nor a metrics page"},
           {"[1]", "neither JSON"},
           {"{}", "no object batch_ms"},
           {R"({"batch_ms": {}})", "no time for a batch of 1"},
           {R"({"batch_ms": {"4": 1}})", "no time for a batch of 1"},
           {R"({"batch_ms": {"0": 1}})", "batch size"},
           {R"({"batch_ms": {"x": 1}})", "batch size"},
           {R"({"batch_ms": {"1": -1}})", "impossible time"},
           {R"({"batch_ms": {"1": "a"}})", "not a number"},
           {R"({"batch_ms": {"1": 1}, "instances": 0})", "instances"},
           {R"({"batch_ms": {"1": 1}, "decode_ms": []})", "decode_ms"}}) {
    const auto profile = ParseProfile(text, "");
    ASSERT_FALSE(profile.ok()) << text;
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr(sentence));
  }
  EXPECT_FALSE(ParseProfile(kPage, "c").ok());
}

}  // namespace
}  // namespace groupmamba::client
