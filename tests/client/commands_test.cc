// What all commands share, and the small ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/client/commands_fixture.h"

namespace groupmamba::client {
namespace {

using ::grpc::health::v1::HealthCheckResponse;
using ::nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(CommandsTest, HealthExitsZeroOnlyWhenServing) {
  const CommandResult serving = Run({"health"});
  EXPECT_EQ(serving.code, kExitOk);
  EXPECT_EQ(serving.out, "SERVING\n");
  server_.set_health(HealthCheckResponse::NOT_SERVING);
  const CommandResult draining = Run({"health"});
  EXPECT_EQ(draining.code, kExitSomeFailed);
  EXPECT_EQ(draining.out, "NOT_SERVING\n");
  const CommandResult unknown = Run({"health", "--service", "nobody"});
  EXPECT_EQ(unknown.code, kExitSomeFailed);
  EXPECT_THAT(unknown.err, HasSubstr("knows no service 'nobody'"));
}

TEST_F(CommandsTest, ModelsListsEachOnALine) {
  EXPECT_THAT(Run({"models"}).out, HasSubstr("\nstub   7        ready"));
  const std::vector<json> lines = Lines(Run({"models", "--json"}).out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["name"], "stub");
}

TEST_F(CommandsTest, MetadataHasInputSizeAndLabels) {
  EXPECT_THAT(Run({"metadata"}).out, HasSubstr("3: Bag, Coat, Dress\n"));
  const json metadata = json::parse(Run({"metadata", "--json"}).out);
  EXPECT_EQ(metadata["input_height"], 48);
  EXPECT_THAT(metadata["labels"], ElementsAre("Bag", "Coat", "Dress"));
  const CommandResult unknown = Run({"metadata", "--model", "other"});
  EXPECT_EQ(unknown.code, kExitSomeFailed);
  EXPECT_THAT(unknown.err, HasSubstr("NOT_FOUND: no such model"));
}

TEST_F(CommandsTest, EveryCommandSaysWhatToDoWhenNobodyIsThere) {
  server_.Stop();
  const std::string picture = folder_.Write("Bag/1.png", "0");
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {"classify", picture},
           {"evaluate", folder_.path()},
           {"models"},
           {"metadata"},
           {"health"},
           {"load", "--rate", "1", picture}}) {
    const CommandResult result = Run(args);
    EXPECT_EQ(result.code, kExitUnreachable) << args[0];
    EXPECT_THAT(result.err, HasSubstr("cannot be reached. Is it running?"));
    EXPECT_THAT(result.out, IsEmpty());
  }
}

TEST(UsageTest, AWrongArgumentIsNamedAndExitsWithTwo) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {},
           {"classfy"},
           {"classify"},
           {"classify", "--top-k", "0", "a.png"},
           {"classify", "--top-k", "many", "a.png"},
           {"classify", "--model-version", "0", "a.png"},
           {"classify", "--no-such-flag", "a.png"},
           {"evaluate", "/no/such/folder"}}) {
    const CommandResult result = RunCommand(args);
    EXPECT_EQ(result.code, kExitWrongUsage);
    EXPECT_THAT(result.err, Not(IsEmpty()));
    EXPECT_THAT(result.out, IsEmpty());
  }
  EXPECT_THAT(RunCommand({"classify", "--top-k", "0", "a.png"}).err,
              HasSubstr("--top-k"));
  EXPECT_THAT(RunCommand({"health", "--config", "/no/such/file"}).err,
              HasSubstr("--config"));
}

TEST(UsageTest, ALineOfTheFileThatNoCommandKnowsIsNamed) {
  const testing::TempDir folder;
  for (const char* line : {"tarjet = \"x\"", "[health]\ntarjet = \"x\"",
                           "[heal]\ntarget = \"x\"", "tarjet"}) {
    const CommandResult result =
        RunCommand({"health", "--config", folder.Write("client.toml", line)});
    EXPECT_EQ(result.code, kExitWrongUsage) << line;
    EXPECT_THAT(result.err, HasSubstr("--config")) << line;
    EXPECT_THAT(result.err, HasSubstr("tar")) << line;
  }
}

TEST(UsageTest, HelpOfEveryCommandTeachesByExample) {
  EXPECT_THAT(RunCommand({"--help"}).out, HasSubstr("Exit codes"));
  for (const char* command :
       {"classify", "evaluate", "load", "models", "metadata", "health"}) {
    const CommandResult result = RunCommand({command, "--help"});
    EXPECT_EQ(result.code, kExitOk);
    EXPECT_THAT(result.out, HasSubstr("Example")) << command;
    EXPECT_THAT(result.out, HasSubstr("localhost:8001")) << command;
  }
}

TEST_F(CommandsTest, AnOptionCanComeFromTheEnvironmentAndAFlagWins) {
  ASSERT_EQ(setenv("GROUPMAMBA_TARGET", server_.address().c_str(), 1), 0);
  EXPECT_EQ(RunCommand({"health"}).code, kExitOk);
  EXPECT_EQ(RunCommand({"health", "--target", "127.0.0.1:1"}).code,
            kExitUnreachable);
  unsetenv("GROUPMAMBA_TARGET");
}

TEST_F(CommandsTest, AnOptionCanComeFromAFileWhichFlagsAndVariablesOverride) {
  const std::string file = folder_.Write(
      "client.toml", "target = \"" + server_.address() + "\"\n# a comment\n");
  EXPECT_EQ(RunCommand({"--config", file, "health"}).code, kExitOk);
  EXPECT_EQ(RunCommand({"health", "--config", file}).code, kExitOk);
  EXPECT_EQ(
      RunCommand({"health", "--config", file, "--target", "127.0.0.1:1"}).code,
      kExitUnreachable);
  ASSERT_EQ(setenv("GROUPMAMBA_TARGET", "127.0.0.1:1", 1), 0);
  EXPECT_EQ(RunCommand({"health", "--config", file}).code, kExitUnreachable);
  unsetenv("GROUPMAMBA_TARGET");
  ASSERT_EQ(setenv("GROUPMAMBA_CLIENT_CONFIG", file.c_str(), 1), 0);
  EXPECT_EQ(RunCommand({"health"}).code, kExitOk);
  unsetenv("GROUPMAMBA_CLIENT_CONFIG");
}

TEST_F(CommandsTest, ASectionOfTheFileIsForItsCommandAndWinsOverTheTop) {
  const std::string file =
      folder_.Write("client.toml",
                    "model = \"stub\"\ntop-k = 2\ndeadline-ms = 20000\n"
                    "[metadata]\nmodel = \"other\"\njson = true\n");
  const CommandResult metadata = Run({"metadata", "--config", file});
  EXPECT_THAT(metadata.err, HasSubstr("NOT_FOUND: no such model"));
  const CommandResult models = Run({"models", "--config", file});
  EXPECT_EQ(models.code, kExitOk) << models.err;
  EXPECT_THAT(models.out, HasSubstr("MODEL")) << "--json is metadata's";
}

}  // namespace
}  // namespace groupmamba::client
