// `load --protocol v2` against a small V2 server with known delays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/load/v2_request.h"
#include "tests/client/run_command.h"
#include "tests/testing/stub_v2_server.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::client {
namespace {

using ::nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kDelayMs = 20;

class LoadV2Test : public ::testing::Test {
 protected:
  void Start(const std::vector<StubV2Server::Input>& inputs) {
    server_ = std::make_unique<StubV2Server>(
        inputs, std::chrono::milliseconds(kDelayMs));
  }

  CommandResult Load(std::vector<std::string> args,
                     const std::string& model = "stub") {
    args.insert(args.begin(),
                {"load", "--protocol", "v2", "--target", server_->address(),
                 "--model", model, "--duration", "0.3", "--warmup", "0",
                 "--concurrency", "2", "--json", "-"});
    return RunCommand(args);
  }

  std::unique_ptr<StubV2Server> server_;
  testing::TempDir folder_;
};

TEST_F(LoadV2Test, ItMeasuresTheDelayThatTheServerMakes) {
  Start({{"UINT8", {-1, 6, 4, 3}}});
  const CommandResult result = Load({"--synthetic", "4x6", "--raw"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["model"], "stub");
  EXPECT_EQ(report["model_version"], 3);
  EXPECT_GT(report["ok"].get<int>(), 0);
  // Two callers, each waits for 20 ms: no faster than that, and a clock that
  // began late or a rate that counted twice would say so.
  EXPECT_GE(report["service_ms"]["p50"].get<double>(), kDelayMs);
  EXPECT_LE(report["achieved_per_s"].get<double>(), 2 * 1000.0 / kDelayMs);
  EXPECT_FALSE(report.contains("server_mean")) << "there is no receipt";
  const inference::ModelInferRequest request = server_->requests().front();
  EXPECT_EQ(request.model_name(), "stub");
  EXPECT_EQ(request.inputs(0).name(), "input0");
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(1, 6, 4, 3));
  EXPECT_EQ(request.raw_input_contents(0).size(), 6u * 4 * 3);
}

TEST_F(LoadV2Test, FilesTravelAsElementsWithTheirLength) {
  Start({{"BYTES", {-1, 1}}});
  const CommandResult result = Load({folder_.Write("a.png", "picture")});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const inference::ModelInferRequest request = server_->requests().front();
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(1, 1));
  EXPECT_EQ(request.raw_input_contents(0),
            std::string("\7\0\0\0", 4) + "picture");
}

TEST_F(LoadV2Test, WhatTheModelDoesNotTakeIsSaidBeforeAnythingIsSent) {
  Start({{"UINT8", {-1, 6, 4, 3}}});
  const CommandResult size = Load({"--synthetic", "5x6", "--raw"});
  EXPECT_EQ(size.code, kExitWrongUsage);
  EXPECT_THAT(size.err, HasSubstr("UINT8 [-1, 6, 4, 3]"));
  const CommandResult file = Load({folder_.Write("a.png", "picture")});
  EXPECT_EQ(file.code, kExitWrongUsage);
  EXPECT_THAT(file.err, HasSubstr("the model takes UINT8"));
  const CommandResult unknown = Load({"--synthetic", "4x6", "--raw"}, "other");
  EXPECT_EQ(unknown.code, kExitSomeFailed);
  EXPECT_THAT(unknown.err, HasSubstr("Request for unknown model"));
  EXPECT_TRUE(server_->requests().empty());
}

TEST(MakeV2RequestTest, ModelsThatItCannotFillAreRefused) {
  v1::ClassifyRequest picture;
  picture.mutable_raw()->set_rgb("rgb");
  inference::ModelMetadataResponse model;
  EXPECT_THAT(MakeV2Request(model, picture).status().ToString(),
              HasSubstr("0 inputs"));
  auto* input = model.add_inputs();
  input->set_datatype("FP32");
  EXPECT_THAT(MakeV2Request(model, picture).status().ToString(),
              HasSubstr("takes FP32"));
  input->set_datatype("UINT8");
  for (int i = 0; i < 9; ++i) input->add_shape(INT64_MAX);
  EXPECT_THAT(MakeV2Request(model, picture).status().ToString(),
              HasSubstr("another size"));
  input->clear_shape();
  input->add_shape(3);
  EXPECT_TRUE(MakeV2Request(model, picture).ok()) << "a model without a batch";
  *model.add_inputs() = *input;
  EXPECT_THAT(MakeV2Request(model, picture).status().ToString(),
              HasSubstr("2 inputs"));
}

}  // namespace
}  // namespace groupmamba::client
