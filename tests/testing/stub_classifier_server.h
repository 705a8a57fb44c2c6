// A real gRPC server on this machine whose answers a test programs: for what
// calls a Classifier without having one.

#ifndef GROUPMAMBA_TESTS_TESTING_STUB_CLASSIFIER_SERVER_H_
#define GROUPMAMBA_TESTS_TESTING_STUB_CLASSIFIER_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"

namespace groupmamba {

// Listens from construction to destruction. The programmed functions run on
// gRPC's threads, several at a time; set them before the first call.
class StubClassifierServer {
 public:
  using ClassifyFunction = std::function<grpc::Status(
      grpc::ServerContext*, const v1::ClassifyRequest&, v1::ClassifyResponse*)>;

  // Serves one model "stub", version 7, with these labels. Answers every
  // picture with the labels in their order; the first is 0.75 probable, the
  // others share the rest.
  explicit StubClassifierServer(std::vector<std::string> labels);
  ~StubClassifierServer();

  // Replaces the answer to Classify, and to each item of ClassifyStream.
  void set_classify(ClassifyFunction classify);

  // Adds a prediction to `response`, for such functions.
  static void AddPrediction(const std::string& label, int index,
                            float probability, v1::ClassifyResponse* response);

  // What health's Check answers for "" (SERVING unless set); other services are
  // NOT_FOUND.
  void set_health(
      ::grpc::health::v1::HealthCheckResponse::ServingStatus status);

  // 127.0.0.1:PORT.
  const std::string& address() const { return address_; }

  // Every request to Classify so far, in the order of arrival.
  std::vector<v1::ClassifyRequest> requests() const;

  // Refuses calls and connections from now on; ends calls in progress.
  void Stop();

 private:
  class ClassifierService;
  class HealthService;

  std::unique_ptr<ClassifierService> classifier_;
  std::unique_ptr<HealthService> health_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_STUB_CLASSIFIER_SERVER_H_
