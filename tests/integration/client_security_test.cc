// The client's commands against a server that asks for TLS, certificates and
// tokens.

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/client/run_command.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using client::CommandResult;
using testing::Authority;
using ::testing::HasSubstr;
using testing::Identity;

class ClientSecurityTest : public ServerFixture {
 protected:
  // With TLS; where `strict`, with client certificates and a token.
  void StartSecure(bool strict) {
    const Identity server = authority_.Issue("server");
    const Identity client = authority_.Issue("client");
    folder_.Write("client.pem", client.certificate);
    folder_.Write("client.key", client.key);
    folder_.Write("ca.pem", authority_.certificate());
    folder_.Write("token", "alpha\n");
    ServerOptions options = Options();
    options.transport.secrets.tls = {
        .certificate = folder_.Write("cert.pem", server.certificate),
        .key = folder_.Write("key.pem", server.key),
        .client_authorities = strict ? folder_.Path("ca.pem") : ""};
    if (strict) {
      // printf %s alpha | sha256sum
      options.transport.secrets.tokens = folder_.Write(
          "tokens",
          "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8 "
          "classify\n");
    }
    Start(options);
  }

  CommandResult Run(std::vector<std::string> arguments,
                    const std::vector<std::string>& more) {
    arguments.insert(arguments.begin() + 1,
                     {"--target", absl::StrCat("localhost:", server_->port())});
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::istringstream in;
    return client::RunCommand(arguments, in);
  }

  std::string Picture() const {
    return folder_.Write("picture/class 1/1.png", MakePng(8, 8, 1));
  }

  std::vector<std::string> Everything() const {
    return {"--tls-ca",     folder_.Path("ca.pem"),
            "--tls-cert",   folder_.Path("client.pem"),
            "--tls-key",    folder_.Path("client.key"),
            "--token-file", folder_.Path("token")};
  }

  const testing::TempDir folder_;
  const Authority authority_{"authority"};
};

TEST_F(ClientSecurityTest, EveryCommandGetsThrough) {
  StartSecure(true);
  const std::string picture = Picture();
  const std::vector<std::vector<std::string>> commands = {
      {"health"},
      {"models"},
      {"metadata"},
      {"classify", picture},
      {"evaluate", folder_.Path("picture")},
      {"load", "--rate=50", "--duration=0.2", "--warmup=0", "--metrics=none",
       picture},
      {"load", "--stream=1", "--concurrency=2", "--duration=0.2", "--warmup=0",
       "--metrics=none", picture},
      {"load", "--protocol=v2", "--rate=50", "--duration=0.2", "--warmup=0",
       "--metrics=none", "--synthetic=32x32", "--raw"}};
  for (const auto& command : commands) {
    const CommandResult result = Run(command, Everything());
    EXPECT_EQ(result.code, 0) << command.front() << ": " << result.err;
  }
}

TEST_F(ClientSecurityTest, WithoutTlsItSaysThatTheServerSpeaksIt) {
  StartSecure(false);
  const CommandResult result = Run({"health"}, {});
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("speaks TLS: pass --tls-ca"));
}

TEST_F(ClientSecurityTest, WithoutItsCertificateItSaysWhatMayBeMissing) {
  StartSecure(true);
  const CommandResult result =
      Run({"health"}, {"--tls-ca", folder_.Path("ca.pem")});
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("--tls-cert"));
}

TEST_F(ClientSecurityTest, AnotherAuthoritysServerIsNotTalkedTo) {
  StartSecure(false);
  const std::string other =
      folder_.Write("other.pem", Authority("other").certificate());
  const CommandResult result = Run({"health"}, {"--tls-ca", other});
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("of an authority in --tls-ca"));
}

TEST_F(ClientSecurityTest, AServersNameMustBeTheOneThatIsExpected) {
  StartSecure(false);
  const std::string ca = folder_.Path("ca.pem");
  EXPECT_EQ(
      Run({"health"}, {"--tls-ca", ca, "--tls-server-name", "elsewhere"}).code,
      4);
  EXPECT_EQ(
      Run({"health"}, {"--tls-ca", ca, "--tls-server-name", "localhost"}).code,
      0);
}

TEST_F(ClientSecurityTest, WithoutATokenItSaysHowToSendOne) {
  StartSecure(true);
  std::vector<std::string> options = Everything();
  options.resize(6);
  const CommandResult result = Run({"models"}, options);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("no_token"));
  EXPECT_THAT(result.err, HasSubstr("--token-file"));
}

TEST_F(ClientSecurityTest, FilesThatAreOfNoUseAreNamed) {
  StartSecure(false);
  EXPECT_EQ(Run({"health"}, {"--tls-ca", folder_.Path("nowhere")}).code, 2);
  const std::string token = folder_.Write("two", "one\ntwo\n");
  EXPECT_THAT(Run({"health"}, {"--token-file", token}).err,
              HasSubstr("--token-file: a token is one line"));
  EXPECT_THAT(Run({"health"}, {"--tls-cert", folder_.Path("client.pem")}).err,
              HasSubstr("need --tls-ca"));
}

}  // namespace
}  // namespace groupmamba
