// A command against a real gRPC server with programmed answers.

#ifndef GROUPMAMBA_TESTS_CLIENT_COMMANDS_FIXTURE_H_
#define GROUPMAMBA_TESTS_CLIENT_COMMANDS_FIXTURE_H_

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "tests/client/run_command.h"
#include "tests/testing/stub_classifier_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {

class CommandsTest : public ::testing::Test {
 protected:
  // Runs "COMMAND --target <the stub> ARGS...".
  CommandResult Run(std::vector<std::string> args) {
    std::istringstream in;
    return Run(std::move(args), in);
  }
  CommandResult Run(std::vector<std::string> args, std::istream& in,
                    bool terminal = false) {
    args.insert(args.begin() + 1, {"--target", server_.address()});
    return RunCommand(args, in, terminal);
  }

  // Answers with the label whose index is the picture's first digit.
  void AnswerByContent() {
    server_.set_classify([](grpc::ServerContext*,
                            const v1::ClassifyRequest& request,
                            v1::ClassifyResponse* response) {
      const int index = request.encoded().at(0) - '0';
      StubClassifierServer::AddPrediction("?", index, 0.5f, response);
      StubClassifierServer::AddPrediction("?", 1 - index, 0.25f, response);
      return grpc::Status::OK;
    });
  }

  // The JSON objects of an output that has one a line.
  static std::vector<nlohmann::json> Lines(const std::string& out) {
    std::vector<nlohmann::json> lines;
    for (const absl::string_view line :
         absl::StrSplit(out, '\n', absl::SkipEmpty())) {
      lines.push_back(nlohmann::json::parse(line.begin(), line.end()));
    }
    return lines;
  }

  testing::TempDir folder_;
  StubClassifierServer server_{{"Bag", "Coat", "Dress"}};
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_TESTS_CLIENT_COMMANDS_FIXTURE_H_
