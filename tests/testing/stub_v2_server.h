// A small server of the V2 inference protocol whose every answer takes a known
// time: for what calls such a server without having one.

#ifndef GROUPMAMBA_TESTS_TESTING_STUB_V2_SERVER_H_
#define GROUPMAMBA_TESTS_TESTING_STUB_V2_SERVER_H_

#include <grpcpp/server.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proto/inference/grpc_service.pb.h"

namespace groupmamba {

// Listens from construction to destruction.
class StubV2Server {
 public:
  struct Input {
    std::string datatype;
    std::vector<int64_t> shape;
  };

  // Serves one model "stub", version 3, with inputs "input0", "input1", ..., as
  // described, and one output. Each ModelInfer is answered `delay` after it was
  // read, with one number.
  StubV2Server(const std::vector<Input>& inputs, Duration delay);
  ~StubV2Server();

  // 127.0.0.1:PORT.
  const std::string& address() const { return address_; }

  // Every request to ModelInfer so far, in the order of arrival.
  std::vector<inference::ModelInferRequest> requests() const;

 private:
  class Service;

  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_STUB_V2_SERVER_H_
