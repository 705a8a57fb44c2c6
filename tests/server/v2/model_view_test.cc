#include "server/v2/model_view.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/status_map.h"
#include "server/v2/describe.h"
#include "tests/testing/fake_models.h"

namespace groupmamba::v2 {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class ModelViewTest : public ::testing::Test {
 protected:
  ModelView View(absl::string_view name) {
    const auto view = FindView(models_, name, "");
    EXPECT_TRUE(view.ok()) << view.status();
    return *view;
  }

  Admission admission_{{}};
  Metrics metrics_{&admission_};
  ModelRepository models_{OneFakeModel({}, &metrics_, RealClock::Get()), ""};
};

TEST_F(ModelViewTest, AModelHasANameForPixelsAndOneForFiles) {
  EXPECT_EQ(View("fake").kind, InputKind::kPixels);
  EXPECT_EQ(View("fake+encoded").kind, InputKind::kEncoded);
  EXPECT_EQ(View("fake").model, View("fake+encoded").model);
  EXPECT_EQ(View("fake").name(), "fake");
  EXPECT_EQ(View("fake+encoded").name(), "fake+encoded");
}

TEST_F(ModelViewTest, WithoutANameItIsTheDefaultModel) {
  EXPECT_EQ(View("").name(), "fake");
  EXPECT_EQ(View("+encoded").name(), "fake+encoded");
}

TEST_F(ModelViewTest, AnUnknownModelHasTheTextThatClientsLookFor) {
  for (const char* name : {"other", "fake+", "fake+encoded+encoded", "FAKE"}) {
    const absl::Status status = FindView(models_, name, "").status();
    EXPECT_EQ(status, Error(Reason::kUnknownModel)) << name;
    EXPECT_THAT(std::string(status.message()),
                StartsWith("unknown_model: Request for unknown model"));
  }
}

TEST_F(ModelViewTest, AVersionIsAPositiveDecimalNumber) {
  EXPECT_TRUE(FindView(models_, "fake", "1").ok());
  EXPECT_EQ(FindView(models_, "fake", "2").status(),
            Error(Reason::kUnknownVersion));
  for (const char* version :
       {"0", "-1", "+1", "v1", "1.0", " 1", "1 ", "99999999999999999999"}) {
    EXPECT_EQ(FindView(models_, "fake", version).status(),
              Error(Reason::kBadVersion))
        << version;
  }
}

TEST_F(ModelViewTest, MetadataShapesBeginWithTheBatch) {
  inference::ModelMetadataResponse pixels;
  Describe(View("fake"), &pixels);
  EXPECT_EQ(pixels.name(), "fake");
  EXPECT_THAT(pixels.versions(), ElementsAre("1"));
  ASSERT_EQ(pixels.inputs_size(), 1);
  EXPECT_EQ(pixels.inputs(0).name(), "pixels");
  EXPECT_EQ(pixels.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(pixels.inputs(0).shape(), ElementsAre(-1, 32, 32, 3));
  ASSERT_EQ(pixels.outputs_size(), 1);
  EXPECT_EQ(pixels.outputs(0).name(), "probabilities");
  EXPECT_EQ(pixels.outputs(0).datatype(), "FP32");
  EXPECT_THAT(pixels.outputs(0).shape(), ElementsAre(-1, 10));

  inference::ModelMetadataResponse encoded;
  Describe(View("fake+encoded"), &encoded);
  EXPECT_EQ(encoded.name(), "fake+encoded");
  EXPECT_EQ(encoded.inputs(0).name(), "encoded");
  EXPECT_EQ(encoded.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(encoded.inputs(0).shape(), ElementsAre(-1, 1));
}

TEST_F(ModelViewTest, ConfigurationShapesLeaveTheBatchOut) {
  inference::ModelConfig config;
  Describe(View("fake"),
           {.max_batch = 6,
            .max_waiting = 40,
            .default_deadline = std::chrono::seconds(3)},
           &config);
  EXPECT_EQ(config.name(), "fake");
  EXPECT_EQ(config.max_batch_size(), 6);
  ASSERT_EQ(config.input_size(), 1);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_UINT8);
  EXPECT_EQ(config.input(0).format(), inference::ModelInput::FORMAT_NHWC);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(32, 32, 3));
  ASSERT_EQ(config.output_size(), 1);
  EXPECT_EQ(config.output(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.output(0).dims(), ElementsAre(10));
  EXPECT_EQ(config.output(0).label_filename(), "labels.txt");
  EXPECT_FALSE(config.model_transaction_policy().decoupled());
  const inference::ModelQueuePolicy& policy =
      config.dynamic_batching().default_queue_policy();
  EXPECT_EQ(policy.default_timeout_microseconds(), 3'000'000u);
  EXPECT_EQ(policy.max_queue_size(), 40u);

  inference::ModelConfig encoded;
  Describe(View("fake+encoded"), {}, &encoded);
  EXPECT_EQ(encoded.input(0).data_type(), inference::TYPE_STRING);
  EXPECT_EQ(encoded.input(0).format(), inference::ModelInput::FORMAT_NONE);
  EXPECT_THAT(encoded.input(0).dims(), ElementsAre(1));
}

TEST_F(ModelViewTest, TheIndexTellsTheState) {
  inference::RepositoryIndexResponse::ModelIndex index;
  Describe(View("fake"), &index);
  EXPECT_EQ(index.state(), "LOADING");
  ASSERT_FALSE(models_.models()[0]
                   ->Load([](const ModelFolder&) {
                     return absl::InternalError("/srv/models: broken");
                   })
                   .ok());
  Describe(View("fake"), &index);
  EXPECT_EQ(index.state(), "UNAVAILABLE");
  EXPECT_EQ(index.reason(), "it could not be loaded");
}

TEST_F(ModelViewTest, TheServerNamesOnlyExtensionsThatItHas) {
  inference::ServerMetadataResponse response;
  Describe("1.2.3", &response);
  EXPECT_EQ(response.name(), "groupmamba-serve");
  EXPECT_EQ(response.version(), "1.2.3");
  // perf_analyzer and image_client look for these two.
  EXPECT_THAT(response.extensions(), ::testing::Contains("statistics"));
  EXPECT_THAT(response.extensions(), ::testing::Contains("classification"));
  for (const char* absent : {"sequence", "system_shared_memory", "trace"}) {
    EXPECT_THAT(response.extensions(),
                ::testing::Not(::testing::Contains(absent)));
  }
}

}  // namespace
}  // namespace groupmamba::v2
