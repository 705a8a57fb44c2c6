// TLS, certificates of clients and their replacement, and tokens: who gets
// through to a service, and who does not.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tls_probe.h"

namespace groupmamba {
namespace {

using testing::Authority;
using testing::CertificateNameAt;
using ::testing::HasSubstr;
using testing::Identity;
using ::testing::StartsWith;

// printf %s alpha | sha256sum, and so on.
constexpr char kTokens[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8 "
    "classify\n"
    "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753 "
    "admin\n";

class SecurityTest : public ServerFixture {
 protected:
  // While the folder is still there.
  void TearDown() override { server_.reset(); }

  void WriteIdentity(const Identity& identity) {
    folder_.Write("cert.pem", identity.certificate);
    folder_.Write("key.pem", identity.key);
  }

  // With TLS by a certificate for "first".
  ServerOptions TlsServer() {
    WriteIdentity(authority_.Issue("first"));
    ServerOptions options = Options();
    options.transport.secrets.tls = {.certificate = folder_.Path("cert.pem"),
                                     .key = folder_.Path("key.pem"),
                                     .client_authorities = ""};
    options.transport.secrets.reload_period = std::chrono::milliseconds(1);
    return options;
  }

  static grpc::Status List(const std::shared_ptr<grpc::Channel>& channel,
                           const std::string& token = "") {
    grpc::ClientContext context;
    if (!token.empty()) {
      context.AddMetadata("authorization", "Bearer " + token);
    }
    v1::ListModelsResponse response;
    return v1::Classifier::NewStub(channel)->ListModels(&context, {},
                                                        &response);
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Channel(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      int port) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    return grpc::CreateCustomChannel(absl::StrCat("localhost:", port),
                                     credentials, arguments);
  }
  std::shared_ptr<grpc::Channel> Plain() const {
    return Channel(grpc::InsecureChannelCredentials(), server_->port());
  }
  std::shared_ptr<grpc::Channel> Tls(const Identity& identity = {}) const {
    return Channel(
        grpc::SslCredentials({.pem_root_certs = authority_.certificate(),
                              .pem_private_key = identity.key,
                              .pem_cert_chain = identity.certificate}),
        server_->port());
  }

  // Waits until the counter is not 0.
  void AwaitCounted(const std::string& counter) const {
    const std::string zero = absl::StrCat("\n", counter, " 0\n");
    while (server_->metrics().Page().find(zero) != std::string::npos) {
    }
  }

  const testing::TempDir folder_;
  const Authority authority_{"authority"};
};

TEST_F(SecurityTest, WithTlsNothingIsServedInPlainText) {
  Start(TlsServer());
  EXPECT_TRUE(List(Tls()).ok());
  EXPECT_EQ(List(Plain()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(List(Tls()).ok());
}

TEST_F(SecurityTest, OldVersionsOfTlsAreRefused) {
  Start(TlsServer());
  EXPECT_EQ(CertificateNameAt(server_->port(), TLS1_VERSION), "");
  EXPECT_EQ(CertificateNameAt(server_->port(), TLS1_1_VERSION), "");
  EXPECT_EQ(CertificateNameAt(server_->port(), TLS1_2_VERSION), "first");
  EXPECT_EQ(CertificateNameAt(server_->port(), TLS1_3_VERSION), "first");
}

TEST_F(SecurityTest, WithAnAuthorityOnlyItsClientsGetThrough) {
  ServerOptions options = TlsServer();
  options.transport.secrets.tls.client_authorities =
      folder_.Write("clients.pem", authority_.certificate());
  Start(options);
  const Authority stranger("stranger");
  EXPECT_TRUE(List(Tls(authority_.Issue("client"))).ok());
  EXPECT_FALSE(List(Tls()).ok());
  EXPECT_FALSE(List(Tls(stranger.Issue("client"))).ok());
  EXPECT_FALSE(List(Tls(authority_.Issue("client", -1))).ok()) << "expired";
  EXPECT_TRUE(List(Tls(authority_.Issue("client"))).ok());
}

TEST_F(SecurityTest, NewConnectionsGetTheNewCertificateOldOnesLiveOn) {
  Start(TlsServer());
  const auto old = Tls();
  ASSERT_TRUE(List(old).ok());
  WriteIdentity(authority_.Issue("second"));
  while (CertificateNameAt(server_->port(), TLS1_3_VERSION) != "second") {
  }
  EXPECT_TRUE(List(old).ok());
  EXPECT_TRUE(List(Tls()).ok());
}

TEST_F(SecurityTest, ABadCertificateLeavesTheOldOneAndIsCounted) {
  Start(TlsServer());
  folder_.Write("cert.pem", "rubbish");
  AwaitCounted("groupmamba_certificate_reload_failures_total");
  EXPECT_EQ(CertificateNameAt(server_->port(), TLS1_3_VERSION), "first");
  EXPECT_TRUE(List(Tls()).ok());
}

TEST_F(SecurityTest, AServerDoesNotStartWithABadCertificate) {
  ServerOptions options = TlsServer();
  folder_.Write("key.pem", authority_.Issue("other").key);
  EXPECT_THAT(
      std::string(Server::Start(options, {FakeModel()}, RealClock::Get())
                      .status()
                      .message()),
      HasSubstr("key.pem: the key is not the certificate's"));
}

TEST_F(SecurityTest, TheHealthListenerSpeaksPlainTextToWhoeverAsks) {
  ServerOptions options = TlsServer();
  options.transport.health = "127.0.0.1:0";
  options.transport.secrets.tokens = folder_.Write("tokens", kTokens);
  Start(options);
  const auto channel =
      Channel(grpc::InsecureChannelCredentials(), server_->health_port());
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(grpc::health::v1::Health::NewStub(channel)
                  ->Check(&context, {}, &response)
                  .ok());
  EXPECT_EQ(List(channel, "alpha").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

class TokenTest : public SecurityTest {
 protected:
  void SetUp() override {
    ServerOptions options = Options();
    options.transport.admin = "127.0.0.1:0";
    options.transport.secrets.tokens = folder_.Write("tokens", kTokens);
    options.transport.secrets.reload_period = std::chrono::milliseconds(1);
    Start(options);
  }
};

TEST_F(TokenTest, CallsNeedATokenWithTheirScope) {
  const auto admin =
      Channel(grpc::InsecureChannelCredentials(), server_->admin_port());
  const struct {
    const std::shared_ptr<grpc::Channel>& channel;
    const char* token;
    grpc::StatusCode code;
    const char* message;
  } table[] = {
      {channel_, "alpha", grpc::StatusCode::OK, ""},
      {channel_, "", grpc::StatusCode::UNAUTHENTICATED, "no_token: "},
      {channel_, "gamma", grpc::StatusCode::UNAUTHENTICATED, "wrong_token: "},
      {channel_, "beta", grpc::StatusCode::PERMISSION_DENIED, "not_allowed: "},
      {admin, "beta", grpc::StatusCode::OK, ""},
      {admin, "alpha", grpc::StatusCode::PERMISSION_DENIED, "not_allowed: "},
      {admin, "", grpc::StatusCode::UNAUTHENTICATED, "no_token: "},
  };
  for (const auto& row : table) {
    const grpc::Status status = List(row.channel, row.token);
    EXPECT_EQ(status.error_code(), row.code) << row.token;
    EXPECT_THAT(status.error_message(), StartsWith(row.message));
  }
}

TEST_F(TokenTest, TheOtherProtocolAndStreamsNeedOneToo) {
  grpc::ClientContext v2_context;
  inference::ServerMetadataResponse metadata;
  EXPECT_EQ(v2_->ServerMetadata(&v2_context, {}, &metadata).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  grpc::ClientContext stream_context;
  const auto stream = classifier_->ClassifyStream(&stream_context);
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  grpc::ClientContext v2_stream_context;
  const auto v2_stream = v2_->ModelStreamInfer(&v2_stream_context);
  v2_stream->WritesDone();
  EXPECT_EQ(v2_stream->Finish().error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(TokenTest, LoadingModelsNeedsAdminOnThePublicListenerToo) {
  for (const auto& [token, code] :
       {std::pair("alpha", grpc::StatusCode::PERMISSION_DENIED),
        std::pair("beta", grpc::StatusCode::UNAVAILABLE)}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    inference::RepositoryModelLoadResponse response;
    EXPECT_EQ(v2_->RepositoryModelLoad(&context, {}, &response).error_code(),
              code);
  }
}

TEST_F(TokenTest, HealthNeedsNone) {
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(health_->Check(&context, {}, &response).ok());
}

TEST_F(TokenTest, ANewFileTakesEffectABadOneIsCountedAndDoesNot) {
  folder_.Write("tokens", "rubbish");
  AwaitCounted("groupmamba_token_reload_failures_total");
  EXPECT_TRUE(List(channel_, "alpha").ok());
  // beta's hash, now with the other scope.
  folder_.Write("tokens", absl::StrCat(std::string(kTokens).substr(74, 64),
                                       " classify\n"));
  while (!List(channel_, "beta").ok()) {
  }
  EXPECT_EQ(List(channel_, "alpha").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace groupmamba
