// A server on a puppet's strings, whose first request can be held inside the
// model.

#ifndef GROUPMAMBA_TESTS_INTEGRATION_PUPPET_SERVER_FIXTURE_H_
#define GROUPMAMBA_TESTS_INTEGRATION_PUPPET_SERVER_FIXTURE_H_

#include <cstdint>
#include <string>
#include <thread>

#include "tests/integration/server_fixture.h"
#include "tests/testing/puppet_engine.h"

namespace groupmamba {

// A plain picture of FakeModel's size, which a puppet knows by its colour.
inline v1::ClassifyRequest PlainPicture(uint8_t color) {
  v1::ClassifyRequest request;
  request.mutable_raw()->set_width(32);
  request.mutable_raw()->set_height(32);
  request.mutable_raw()->set_rgb(
      std::string(3 * 32 * 32, static_cast<char>(color)));
  return request;
}

class PuppetServerFixture : public ServerFixture {
 protected:
  // On a puppet's strings: the first request is held inside the model.
  void StartAndOccupy(const ServerOptions& options,
                      Clock* clock = RealClock::Get()) {
    Start(
        options, [this](const ModelFolder&) { return puppet_.MakeEngine(); },
        clock);
    puppet_.Hold();
    first_ = std::thread([this] {
      v1::ClassifyResponse response;
      first_status_ = Classify(PlainPicture(1), &response);
    });
    puppet_.AwaitCall();
  }

  void AwaitFirst(grpc::StatusCode code = grpc::StatusCode::OK) {
    first_.join();
    EXPECT_EQ(first_status_.error_code(), code);
  }

  void TearDown() override {
    puppet_.ReleaseAll();
    if (first_.joinable()) AwaitFirst();
  }

  grpc::health::v1::HealthCheckResponse::ServingStatus Health(
      const std::string& service) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    grpc::ClientContext context;
    const grpc::Status status = health_->Check(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  Puppet puppet_{10};
  std::thread first_;
  grpc::Status first_status_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_INTEGRATION_PUPPET_SERVER_FIXTURE_H_
