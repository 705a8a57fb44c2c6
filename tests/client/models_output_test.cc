#include "client/models_output.h"

#include <gtest/gtest.h>

namespace groupmamba::client {
namespace {

v1::ModelInfo Fashion() {
  v1::ModelInfo model;
  model.set_name("fashion");
  model.set_version(1);
  model.set_state(v1::MODEL_STATE_READY);
  model.set_classes(10);
  model.set_input_height(48);
  model.set_input_width(56);
  model.set_resize(54);
  model.set_precision("fp32");
  model.set_device("cpu");
  model.set_parameters(1234567);
  return model;
}

TEST(ModelsOutputTest, TheTableAlignsUnderItsHeadings) {
  v1::ListModelsResponse response;
  *response.add_models() = Fashion();
  v1::ModelInfo* tiny = response.add_models();
  *tiny = Fashion();
  tiny->set_name("tiny-imagenet");
  tiny->set_classes(1000);
  tiny->set_state(static_cast<v1::ModelState>(9));
  EXPECT_EQ(ModelsTable(response),
            "MODEL          VERSION  STATE    CLASSES  INPUT    PARAMETERS  "
            "PRECISION  DEVICE\n"
            "fashion        1        ready    10       48 x 56  1,234,567   "
            "fp32       cpu\n"
            "tiny-imagenet  1        state 9  1,000    48 x 56  1,234,567   "
            "fp32       cpu\n");
}

TEST(ModelsOutputTest, AServerWithoutModelsIsToldSo) {
  EXPECT_EQ(ModelsTable(v1::ListModelsResponse()),
            "The server has no models.\n");
}

TEST(ModelsOutputTest, MetadataNamesTheFirstLabels) {
  v1::GetModelResponse response;
  *response.mutable_model() = Fashion();
  for (const char* label : {"Bag", "Coat", "Dress", "Shirt", "Boot"}) {
    response.add_labels(label);
  }
  EXPECT_EQ(
      MetadataText(response),
      "model       fashion\n"
      "version     1\n"
      "state       ready\n"
      "input       48 x 56 pixels (height x width), cut from the middle after "
      "the short side is resized to 54\n"
      "labels      5: Bag, Coat, Dress, Shirt, ...\n"
      "parameters  1,234,567\n"
      "precision   fp32\n"
      "device      cpu\n");
}

TEST(ModelsOutputTest, JsonHasEveryPropertyUnderItsName) {
  EXPECT_EQ(ToLine(ModelJson(Fashion())),
            R"({"name":"fashion","version":1,"state":"ready","classes":10,)"
            R"("input_height":48,"input_width":56,"resize":54,)"
            R"("precision":"fp32","device":"cpu","parameters":1234567})");
}

}  // namespace
}  // namespace groupmamba::client
