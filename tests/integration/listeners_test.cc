// What each listener serves, and what it does not.

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/raw_http2.h"

namespace groupmamba {
namespace {

using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

class ListenersTest : public ServerFixture {
 protected:
  static std::shared_ptr<grpc::Channel> ChannelTo(int port) {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                               grpc::InsecureChannelCredentials());
  }

  static grpc::Status ClassifyAt(int port) {
    v1::ClassifyRequest request;
    request.mutable_raw()->set_width(1);
    request.mutable_raw()->set_height(1);
    request.mutable_raw()->set_rgb("rgb");
    v1::ClassifyResponse response;
    grpc::ClientContext context;
    return v1::Classifier::NewStub(ChannelTo(port))
        ->Classify(&context, request, &response);
  }

  static bool ServesHealth(int port) {
    HealthCheckResponse response;
    grpc::ClientContext context;
    return grpc::health::v1::Health::NewStub(ChannelTo(port))
               ->Check(&context, HealthCheckRequest(), &response)
               .ok() &&
           response.status() == HealthCheckResponse::SERVING;
  }

  // What gRPC's reflection answers to "list_services". It is a stream, but one
  // of one request and one answer.
  static grpc::Status ListServices(int port, std::string* answer) {
    const grpc::Slice list_all("\x3a\x01*", 3);  // field 7, a string
    const grpc::ByteBuffer request(&list_all, 1);
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    std::promise<grpc::Status> done;
    grpc::GenericStub stub(ChannelTo(port));
    stub.UnaryCall(&context,
                   "/grpc.reflection.v1alpha.ServerReflection/"
                   "ServerReflectionInfo",
                   grpc::StubOptions(), &request, &response,
                   [&done](grpc::Status status) { done.set_value(status); });
    const grpc::Status status = done.get_future().get();
    std::vector<grpc::Slice> slices;
    if (status.ok() && response.Dump(&slices).ok()) {
      for (const grpc::Slice& slice : slices) {
        answer->append(reinterpret_cast<const char*>(slice.begin()),
                       slice.size());
      }
    }
    return status;
  }
};

TEST_F(ListenersTest, OnlyThePublicOneIsThereUnlessAskedFor) {
  Start();
  EXPECT_EQ(server_->admin_port(), 0);
  EXPECT_EQ(server_->health_port(), 0);
}

TEST_F(ListenersTest, TheAdminListenerDescribesItsServicesThePublicOneDoesNot) {
  ServerOptions options = Options();
  options.transport.admin = "127.0.0.1:0";
  Start(options);
  std::string services;
  EXPECT_TRUE(ListServices(server_->admin_port(), &services).ok());
  EXPECT_THAT(services, HasSubstr("groupmamba.v1.Classifier"));
  EXPECT_THAT(services, HasSubstr("inference.GRPCInferenceService"));
  EXPECT_EQ(ListServices(server_->port(), &services).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_TRUE(ClassifyAt(server_->port()).ok());
  EXPECT_TRUE(ClassifyAt(server_->admin_port()).ok());
}

TEST_F(ListenersTest, TheHealthListenerServesHealthAndNothingElse) {
  ServerOptions options = Options();
  options.transport.health = "127.0.0.1:0";
  Start(options);
  EXPECT_TRUE(ServesHealth(server_->health_port()));
  EXPECT_EQ(ClassifyAt(server_->health_port()).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  std::string services;
  EXPECT_EQ(ListServices(server_->health_port(), &services).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ListenersTest, AnAddressThatIsTakenIsAnError) {
  Start();
  ServerOptions options = Options();
  options.transport.admin = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_EQ(
      Server::Start(options, {FakeModel()}, RealClock::Get()).status().code(),
      absl::StatusCode::kUnavailable);
}

TEST_F(ListenersTest, HeadersOverTheCapAreRefusedAndTheNextCallIsServed) {
  Start();
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(9 << 10, 'x'));
  v1::ListModelsResponse response;
  EXPECT_EQ(classifier_->ListModels(&context, {}, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(ClassifyAt(server_->port()).ok());
}

TEST_F(ListenersTest, ACompressedMessageCountsAsWhatItUnfoldsTo) {
  Start();
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::ClassifyRequest request;
  request.set_encoded(std::string((32 << 20) + 1, '\0'));
  v1::ClassifyResponse response;
  EXPECT_EQ(classifier_->Classify(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(ClassifyAt(server_->port()).ok());
}

TEST_F(ListenersTest, AConnectionThatIsTooOldIsReplacedAndNoCallIsLost) {
  ServerOptions options = Options();
  options.transport.limits.max_age = std::chrono::milliseconds(50);
  Start(options);
  // While one connection without a call grows too old, calls on others are all
  // answered: what meets a connection's end goes by the next one, which gRPC's
  // clients do by themselves unless their retries are turned off.
  testing::RawConnection idle(server_->port());
  ASSERT_TRUE(idle.Send(testing::Preface() +
                        testing::Frame(testing::kSettings, testing::kAck, 0)));
  std::thread waiting([&idle] { EXPECT_TRUE(idle.AwaitEnd()); });
  const auto stub = v1::Classifier::NewStub(ChannelTo(server_->port()));
  const TimePoint until =
      RealClock::Get()->Now() + std::chrono::milliseconds(400);
  v1::ListModelsResponse response;
  while (RealClock::Get()->Now() < until) {
    grpc::ClientContext context;
    const grpc::Status status = stub->ListModels(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  waiting.join();
}

}  // namespace
}  // namespace groupmamba
