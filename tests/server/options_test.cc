#include "server/options.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

// A variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { unsetenv(name_); }

 private:
  const char* const name_;
};

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const absl::Status status = ParseSettings(arguments).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(OptionsTest, DefaultsAreTheDesigns) {
  const auto settings = ParseSettings({"--models", "models"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->models, "models");
  EXPECT_EQ(settings->server.transport.listen, "0.0.0.0:8001");
  EXPECT_EQ(settings->server.metrics_listen, "0.0.0.0:8002");
  EXPECT_EQ(settings->server.transport.limits.max_message_bytes, 32 << 20);
  EXPECT_EQ(settings->server.transport.admin, "");
  EXPECT_EQ(settings->server.transport.health, "");
  EXPECT_EQ(settings->server.transport.limits.max_metadata_bytes, 8 << 10);
  EXPECT_EQ(settings->server.transport.limits.max_age, Duration(0));
  EXPECT_EQ(settings->server.pipeline.decode.max_bytes, size_t{16} << 20);
  EXPECT_EQ(settings->server.pipeline.decode.max_pixels, 50'000'000);
  EXPECT_EQ(settings->server.batch.max_batch, 8);
  EXPECT_EQ(settings->server.batch.max_delay, std::chrono::milliseconds(5));
  EXPECT_EQ(settings->server.batch.slo, Duration(0));
  EXPECT_EQ(settings->engine.device, "auto");
  EXPECT_EQ(settings->engine.precision, "auto");
  EXPECT_GE(settings->server.pipeline.decode_threads, 1);
  EXPECT_FALSE(settings->fake_engine.has_value());
  EXPECT_TRUE(settings->text_to_print.empty());
}

TEST(OptionsTest, FlagsSetWhatTheyName) {
  const auto settings = ParseSettings({"--models=m",
                                       "--default-model=a",
                                       "--device=cuda:1",
                                       "--precision=bf16",
                                       "--instances=3",
                                       "--threads=4",
                                       "--listen=[::1]:1",
                                       "--metrics=127.0.0.1:0",
                                       "--max-batch=16",
                                       "--max-delay-ms=0.5",
                                       "--slo-ms=80",
                                       "--queue-capacity=7",
                                       "--queue-bytes=99",
                                       "--decode-threads=5",
                                       "--max-message-mb=2",
                                       "--max-picture-mb=1.5",
                                       "--max-pixels=1000",
                                       "--default-deadline-ms=100",
                                       "--max-deadline-ms=200",
                                       "--drain-grace-s=1.5", "--drain-linger-s=0.5",
                                       "--log-format=json",
                                       "--log-level=warning"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  const ServerOptions& server = settings->server;
  EXPECT_EQ(server.default_model, "a");
  EXPECT_EQ(settings->engine.device, "cuda:1");
  EXPECT_EQ(settings->engine.precision, "bf16");
  EXPECT_EQ(server.instances, 3);
  EXPECT_EQ(settings->engine.threads, 4);
  EXPECT_EQ(server.transport.listen, "[::1]:1");
  EXPECT_EQ(server.metrics_listen, "127.0.0.1:0");
  EXPECT_EQ(server.batch.max_batch, 16);
  EXPECT_EQ(server.batch.max_delay, std::chrono::microseconds(500));
  EXPECT_EQ(server.batch.slo, std::chrono::milliseconds(80));
  EXPECT_EQ(server.admission.max_waiting, 7);
  EXPECT_EQ(server.admission.max_bytes, 99);
  EXPECT_EQ(server.pipeline.decode_threads, 5);
  EXPECT_EQ(server.transport.limits.max_message_bytes, 2 << 20);
  EXPECT_EQ(server.pipeline.decode.max_bytes, size_t{3} << 19);
  EXPECT_EQ(server.pipeline.decode.max_pixels, 1000);
  EXPECT_EQ(server.pipeline.default_deadline, std::chrono::milliseconds(100));
  EXPECT_EQ(server.pipeline.max_deadline, std::chrono::milliseconds(200));
  EXPECT_EQ(settings->drain.grace, std::chrono::milliseconds(1500));
  EXPECT_EQ(settings->drain.linger, std::chrono::milliseconds(500));
  EXPECT_EQ(settings->log_format, LogFormat::kJson);
  EXPECT_EQ(settings->log_level, LogLevel::kWarning);
}

TEST(OptionsTest, ConnectionFlagsSetWhatTheyName) {
  const auto settings = ParseSettings(
      {"--models=m", "--admin=127.0.0.1:1", "--health=127.0.0.1:2",
       "--max-streams=3", "--max-metadata-kb=4", "--buffer-mb=5",
       "--connection-age-s=6", "--connection-grace-s=7",
       "--connection-idle-s=0", "--keepalive-s=8", "--keepalive-timeout-s=0.5",
       "--handshake-timeout-s=9"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->server.transport.admin, "127.0.0.1:1");
  EXPECT_EQ(settings->server.transport.health, "127.0.0.1:2");
  const ConnectionLimits& limits = settings->server.transport.limits;
  EXPECT_EQ(limits.max_streams, 3);
  EXPECT_EQ(limits.max_metadata_bytes, 4096);
  EXPECT_EQ(limits.buffer_bytes, size_t{5} << 20);
  EXPECT_EQ(limits.max_age, std::chrono::seconds(6));
  EXPECT_EQ(limits.age_grace, std::chrono::seconds(7));
  EXPECT_EQ(limits.max_idle, Duration(0));
  EXPECT_EQ(limits.keepalive, std::chrono::seconds(8));
  EXPECT_EQ(limits.keepalive_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(limits.handshake_timeout, std::chrono::seconds(9));
}

TEST(OptionsTest, TheFlagWinsOverTheVariableAndThatOverTheFile) {
  const std::string file = WriteFile("settings.toml",
                                     "# a comment\n"
                                     "models = \"from-file\"\n"
                                     "max-batch = 2\n"
                                     "instances = 2\n"
                                     "threads = 2\n");
  const Environment batch("GROUPMAMBA_MAX_BATCH", "3");
  const Environment instances("GROUPMAMBA_INSTANCES", "3");
  const auto settings = ParseSettings({"--config", file, "--max-batch", "4"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->server.batch.max_batch, 4);
  EXPECT_EQ(settings->server.instances, 3);
  EXPECT_EQ(settings->engine.threads, 2);
  EXPECT_EQ(settings->models, "from-file");
}

TEST(OptionsTest, AVariableCanNameTheFile) {
  const std::string file = WriteFile("named.toml", "models = \"a\"\n");
  const Environment config("GROUPMAMBA_CONFIG", file);
  const auto settings = ParseSettings({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->models, "a");
}

TEST(OptionsTest, EveryWrongFlagIsNamed) {
  const struct {
    const char* flag;
    const char* value;
  } table[] = {
      {"--device", "gpu"},
      {"--device", "cuda:"},
      {"--device", "cuda:-1"},
      {"--precision", "int8"},
      {"--instances", "0"},
      {"--threads", "-1"},
      {"--engine", "fake"},
      {"--engine", "fake:-1"},
      {"--engine", "fake:1e9"},
      {"--engine", "onnx"},
      {"--listen", "8001"},
      {"--listen", ":8001"},
      {"--listen", "0.0.0.0:x"},
      {"--metrics", "0.0.0.0:65536"},
      {"--admin", "admin"},
      {"--health", ":1"},
      {"--max-streams", "0"},
      {"--max-metadata-kb", "0"},
      {"--buffer-mb", "0"},
      {"--connection-age-s", "-1"},
      {"--connection-grace-s", "0"},
      {"--connection-idle-s", "-1"},
      {"--keepalive-s", "0"},
      {"--keepalive-timeout-s", "0"},
      {"--handshake-timeout-s", "0"},
      {"--max-batch", "0"},
      {"--max-batch", "257"},
      {"--max-batch", "many"},
      {"--max-delay-ms", "-1"},
      {"--slo-ms", "-1"},
      {"--queue-capacity", "0"},
      {"--queue-bytes", "0"},
      {"--decode-threads", "0"},
      {"--max-message-mb", "0"},
      {"--max-picture-mb", "-3"},
      {"--max-pixels", "0"},
      {"--default-deadline-ms", "0"},
      {"--max-deadline-ms", "0"},
      {"--drain-grace-s", "-1"},
      {"--drain-linger-s", "30"},
      {"--log-format", "xml"},
      {"--log-level", "loud"},
      {"--config", "/nowhere/at/all"},
      {"--no-such-flag", "1"},
  };
  for (const auto& row : table) {
    EXPECT_THAT(ErrorOf({"--models", "m", row.flag, row.value}),
                HasSubstr(row.flag))
        << row.value;
  }
}

TEST(OptionsTest, AWrongVariableIsNamedByItsFlag) {
  const Environment batch("GROUPMAMBA_MAX_BATCH", "0");
  EXPECT_THAT(ErrorOf({"--models", "m"}), HasSubstr("--max-batch"));
}

TEST(OptionsTest, AnUnknownLineOfTheFileIsNamed) {
  const std::string file = WriteFile("unknown.toml", "max-bach = 2\n");
  const std::string error = ErrorOf({"--models", "m", "--config", file});
  EXPECT_THAT(error, HasSubstr("--config"));
  EXPECT_THAT(error, HasSubstr("max-bach"));
}

TEST(OptionsTest, AMissingFileThatAVariableNamesIsAnError) {
  const Environment config("GROUPMAMBA_CONFIG", "/nowhere/at/all");
  EXPECT_THAT(ErrorOf({"--models", "m"}), HasSubstr("--config"));
}

TEST(OptionsTest, ModelsAreNeededUnlessTheEngineIsFake) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("--models"));
  const auto settings = ParseSettings({"--engine", "fake:2.5"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->fake_engine, std::chrono::microseconds(2500));
}

TEST(OptionsTest, HelpNamesEverySettingWithItsVariableAndDefault) {
  const auto settings = ParseSettings({"--help"});
  ASSERT_TRUE(settings.ok());
  for (const char* text :
       {"--models", "--max-batch INT [8]", "GROUPMAMBA_MAX_BATCH", "1 to 256",
        "--config", "GROUPMAMBA_CONFIG", "Batching:", "Limits:"}) {
    EXPECT_THAT(settings->text_to_print, HasSubstr(text));
  }
}

TEST(OptionsTest, VersionPrintsTheVersion) {
  const auto settings = ParseSettings({"--version"});
  ASSERT_TRUE(settings.ok());
  EXPECT_THAT(settings->text_to_print, ::testing::MatchesRegex("[0-9.]+\n"));
}

}  // namespace
}  // namespace groupmamba
