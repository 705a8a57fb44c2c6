// Whose share of the queue a request counts against: as good as its caller is
// proved, over the wire. How large a share is: admission_test.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/puppet_server_fixture.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using grpc::StatusCode;
using testing::Authority;
using testing::Identity;

// printf %s alpha | sha256sum, and of beta.
constexpr char kTokens[] =
    "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8 "
    "classify\n"
    "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753 "
    "classify\n";

// A client with a connection and a stream of its own.
class Client {
 public:
  Client(int port, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
         const std::string& authorization = "") {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::Classifier::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("localhost:", port), credentials, arguments));
    if (!authorization.empty()) {
      context_.AddMetadata("authorization", authorization);
    }
    stream_ = stub_->ClassifyStream(&context_);
  }
  ~Client() {
    context_.TryCancel();
    stream_->Finish();
  }

  void Send() {
    v1::ClassifyStreamRequest item;
    *item.mutable_request() = PlainPicture(1);
    EXPECT_TRUE(stream_->Write(item));
  }

  StatusCode AwaitAnswer() {
    v1::ClassifyStreamResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return static_cast<StatusCode>(response.code());
  }

 private:
  std::unique_ptr<v1::Classifier::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyStreamRequest,
                                           v1::ClassifyStreamResponse>>
      stream_;
};

class FairShareTest : public ServerFixture {
 protected:
  void TearDown() override {
    puppet_.ReleaseAll();
    server_.reset();
  }

  // The model holds what it gets; four requests of one client are its share.
  void StartHeld(const SecretsOptions& secrets) {
    ServerOptions options = Options();
    options.transport.secrets = secrets;
    options.admission.max_waiting = 5;
    options.batch.max_batch = 1;
    Start(options, [this](const ModelFolder&) { return puppet_.MakeEngine(); });
    puppet_.Hold();
  }

  void UseUpItsShare(Client* client) {
    client->Send();
    puppet_.AwaitCall();
    for (int waiting = 0; waiting < 4; ++waiting) client->Send();
    AwaitInFlight(5);
    ExpectRefused(client);
  }

  static void ExpectRefused(Client* client) {
    client->Send();
    EXPECT_EQ(client->AwaitAnswer(), StatusCode::RESOURCE_EXHAUSTED);
  }

  void ExpectLetIn(Client* client) {
    client->Send();
    AwaitInFlight(6);
  }

  std::shared_ptr<grpc::ChannelCredentials> TlsOf(const Identity& identity) {
    return grpc::SslCredentials({.pem_root_certs = authority_.certificate(),
                                 .pem_private_key = identity.key,
                                 .pem_cert_chain = identity.certificate});
  }

  const std::shared_ptr<grpc::ChannelCredentials> plain_ =
      grpc::InsecureChannelCredentials();
  const testing::TempDir folder_;
  const Authority authority_{"authority"};
  Puppet puppet_{10};
};

TEST_F(FairShareTest, WhoProvesNothingIsKnownByTheAddress) {
  StartHeld({});
  Client first(server_->port(), plain_, "Bearer alpha");
  UseUpItsShare(&first);
  Client second(server_->port(), plain_, "Bearer beta");
  ExpectRefused(&second);
}

TEST_F(FairShareTest, EachTokenHasAShare) {
  StartHeld({.tls = {}, .tokens = folder_.Write("tokens", kTokens)});
  Client first(server_->port(), plain_, "Bearer alpha");
  UseUpItsShare(&first);
  Client same(server_->port(), plain_, "bearer  alpha ");
  ExpectRefused(&same);
  Client second(server_->port(), plain_, "Bearer beta");
  ExpectLetIn(&second);
}

TEST_F(FairShareTest, EachCertificatesNameHasAShare) {
  const Identity server = authority_.Issue("server");
  StartHeld(
      {.tls = {.certificate = folder_.Write("cert.pem", server.certificate),
               .key = folder_.Write("key.pem", server.key),
               .client_authorities =
                   folder_.Write("clients.pem", authority_.certificate())},
       .tokens = ""});
  Client first(server_->port(), TlsOf(authority_.Issue("first")));
  UseUpItsShare(&first);
  Client renewed(server_->port(), TlsOf(authority_.Issue("first")));
  ExpectRefused(&renewed);
  Client second(server_->port(), TlsOf(authority_.Issue("second")));
  ExpectLetIn(&second);
}

}  // namespace
}  // namespace groupmamba
