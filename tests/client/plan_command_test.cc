#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/run_command.h"

namespace groupmamba::client {
namespace {

using ::testing::HasSubstr;

constexpr char kProfile[] = R"({"batch_ms": {"1": 10, "8": 10}})";

CommandResult Plan(std::vector<std::string> args,
                   const std::string& profile = kProfile) {
  args.insert(args.begin(), {"plan", "--profile", "-"});
  std::istringstream in(profile);
  return RunCommand(args, in);
}

TEST(PlanCommandTest, SaysHowManyServersAreNeeded) {
  const CommandResult result =
      Plan({"--slo", "p99=50ms", "--rate", "5000", "--json"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_GE(json["replicas"], 7);
  EXPECT_LE(json["replicas"], 10);
  EXPECT_EQ(json["holds"], true);
  EXPECT_LE(json["p99_ms"], 50);
  EXPECT_THAT(Plan({"--slo", "p99=50ms", "--rate", "5000"}).out,
              HasSubstr("servers, each with"));
}

TEST(PlanCommandTest, AMissedObjectiveEndsWithThree) {
  EXPECT_EQ(
      Plan({"--slo", "p99=50ms", "--rate", "5000", "--replicas", "1"}).code,
      kExitMissed);
  const CommandResult result = Plan({"--slo", "p99=5ms", "--rate", "10"});
  EXPECT_EQ(result.code, kExitMissed);
  EXPECT_THAT(result.out, HasSubstr("not even 100,000 servers hold it"));
}

TEST(PlanCommandTest, WrongUsageEndsWithTwoAndASentence) {
  const CommandResult slo = Plan({"--slo", "fast", "--rate", "10"});
  EXPECT_EQ(slo.code, kExitWrongUsage);
  EXPECT_THAT(slo.err, HasSubstr("is no objective; give for example p99=50ms"));
  const CommandResult profile = Plan({"--slo", "p99=5ms", "--rate", "10"}, "?");
  EXPECT_EQ(profile.code, kExitWrongUsage);
  EXPECT_THAT(profile.err, HasSubstr("neither JSON nor a metrics page"));
  const CommandResult file = RunCommand(
      {"plan", "--profile", "/nowhere/x", "--slo", "p99=5ms", "--rate", "10"});
  EXPECT_EQ(file.code, kExitWrongUsage);
  EXPECT_THAT(file.err, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace groupmamba::client
