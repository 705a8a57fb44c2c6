#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/client/commands_fixture.h"

namespace groupmamba::client {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using EvaluateCommandTest = CommandsTest;

TEST_F(EvaluateCommandTest, CountsAccuracyAndConfusion) {
  AnswerByContent();
  folder_.Write("Bag/1.png", "0");
  folder_.Write("Bag/2.png", "1");
  folder_.Write("Bag/3.png", "0");
  folder_.Write("Coat/1.png", "1");
  const CommandResult result = Run({"evaluate", "--json", folder_.path()});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["images"], 4);
  EXPECT_EQ(report["top1"], 0.75);
  EXPECT_EQ(report["top5"], 1.0);
  EXPECT_EQ(report["confusion"],
            json::parse(R"({"Bag":{"Bag":2,"Coat":1},"Coat":{"Coat":1}})"));
  EXPECT_EQ(report["failed"], 0);
  EXPECT_GT(report["images_per_s"], 0);
}

TEST_F(EvaluateCommandTest, StaysWithOneVersionOfTheModel) {
  folder_.Write("Bag/1.png", "0");
  Run({"evaluate", folder_.path()});
  ASSERT_EQ(server_.requests().size(), 1u);
  EXPECT_EQ(server_.requests()[0].model(), "stub");
  EXPECT_EQ(server_.requests()[0].version(), 7);
}

TEST_F(EvaluateCommandTest, CountsFailuresApartAndExitsWithOne) {
  server_.set_classify([](grpc::ServerContext*,
                          const v1::ClassifyRequest& request,
                          v1::ClassifyResponse* response) -> grpc::Status {
    if (request.encoded() == "bad") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "not a picture"};
    }
    StubClassifierServer::AddPrediction("Bag", 0, 1, response);
    return grpc::Status::OK;
  });
  folder_.Write("Bag/1.png", "good");
  folder_.Write("Bag/2.png", "bad");
  const CommandResult result = Run({"evaluate", folder_.path()});
  EXPECT_EQ(result.code, kExitSomeFailed);
  EXPECT_THAT(result.out, HasSubstr("model stub, version 7\n1 pictures in"));
  EXPECT_THAT(result.out, HasSubstr("top-1  100.00 %"));
  EXPECT_THAT(result.out,
              HasSubstr("1 failed and count in no figure: INVALID_ARGUMENT: "
                        "not a picture"));
}

TEST_F(EvaluateCommandTest, RefusesAFolderThatIsNoLabelBeforeItSendsAnything) {
  folder_.Write("Bag/1.png", "0");
  folder_.Write("Handbag/1.png", "0");
  const CommandResult result = Run({"evaluate", folder_.path()});
  EXPECT_EQ(result.code, kExitWrongUsage);
  EXPECT_THAT(result.err, HasSubstr("'Handbag' is no label of the model"));
  EXPECT_THAT(server_.requests(), IsEmpty());
}

TEST_F(EvaluateCommandTest, ShowsProgressOnATerminalAndOnlyThere) {
  folder_.Write("Bag/1.png", "0");
  std::istringstream in;
  EXPECT_THAT(Run({"evaluate", folder_.path()}, in, true).err,
              HasSubstr("1 / 1"));
  EXPECT_THAT(Run({"evaluate", folder_.path()}).err, IsEmpty());
}

}  // namespace
}  // namespace groupmamba::client
