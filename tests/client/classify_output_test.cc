#include "client/classify_output.h"

#include <gtest/gtest.h>

#include <chrono>

namespace groupmamba::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

v1::ClassifyResponse Response() {
  v1::ClassifyResponse response;
  response.set_model("fashion");
  response.set_version(3);
  v1::Prediction* first = response.add_predictions();
  first->set_label("Ankle boot");
  first->set_index(9);
  first->set_probability(0.9);
  v1::Prediction* second = response.add_predictions();
  second->set_label("Sandal\x1b");
  second->set_index(5);
  second->set_probability(0.0625);
  v1::Timing* timing = response.mutable_timing();
  timing->set_decode_ms(0.5);
  timing->set_queue_ms(1);
  timing->set_batch_wait_ms(0.25);
  timing->set_inference_ms(2.0004);
  timing->set_total_ms(3.5);
  timing->set_batch_size(4);
  return response;
}

TEST(ClassifyOutputTest, AJsonLineHasTheDocumentedKeys) {
  EXPECT_EQ(
      ClassifyJsonLine("a/b.png", Response(), microseconds(4321)),
      R"({"path":"a/b.png","model":"fashion","version":3,"predictions":[)"
      R"({"label":"Ankle boot","index":9,"probability":0.9},)"
      R"({"label":"Sandal\u001b","index":5,"probability":0.0625}],)"
      R"("timing_ms":{"decode":0.5,"queue":1.0,"batch_wait":0.25,)"
      R"("inference":2.0,"total":3.5,"batch_size":4,"round_trip":4.321}})");
}

TEST(ClassifyOutputTest, AnErrorIsAnObjectOfCodeAndMessage) {
  EXPECT_EQ(
      ClassifyJsonError("x.bin", absl::InvalidArgumentError("no \"JPEG\"")),
      R"({"path":"x.bin","error":{"code":"INVALID_ARGUMENT",)"
      R"("message":"no \"JPEG\""}})");
}

TEST(ClassifyOutputTest, APathThatIsNoUtf8IsStillValidJson) {
  EXPECT_EQ(ClassifyJsonError("\xff.png", absl::NotFoundError("")),
            "{\"path\":\"\xef\xbf\xbd.png\",\"error\":{\"code\":\"NOT_FOUND\","
            "\"message\":\"\"}}");
}

TEST(ClassifyOutputTest, RowsAlignAndOnlyTheFirstNamesThePicture) {
  EXPECT_EQ(ClassifyRows("boot.png", 10, Response(), false),
            "boot.png     90.0 %  Ankle boot\n"
            "              6.2 %  Sandal\\x1b\n");
}

TEST(ClassifyOutputTest, BarsStandBetweenProbabilityAndLabel) {
  EXPECT_EQ(ClassifyRows("boot.png", 8, Response(), true),
            "boot.png   90.0 %  ██████████▊   Ankle boot\n"
            "            6.2 %  ▊             Sandal\\x1b\n");
}

TEST(ClassifySummaryTest, OnePictureIsToldWithoutStatistics) {
  ClassifySummary summary;
  summary.Add(Response(), milliseconds(5));
  EXPECT_EQ(summary.Format(milliseconds(40)),
            "1 picture classified in 0.04 s\n"
            "round trip: 5.00 ms\n"
            "in the server: decode 0.50 ms, queue 1.00 ms, inference 2.00 ms, "
            "total 3.50 ms\n");
}

TEST(ClassifySummaryTest, SeveralPicturesAreToldByPercentilesAndMeans) {
  ClassifySummary summary;
  for (int i = 1; i <= 10; ++i) summary.Add(Response(), milliseconds(i));
  summary.AddFailure();
  EXPECT_EQ(summary.failed(), 1);
  EXPECT_EQ(
      summary.Format(milliseconds(500)),
      "10 pictures classified in 0.50 s (20.0 pictures/s); 1 failed\n"
      "round trip: p50 5.00 ms, p90 9.00 ms, max 10.0 ms\n"
      "in the server, mean: decode 0.50 ms, queue 1.00 ms, inference 2.00 "
      "ms, total 3.50 ms\n");
}

TEST(ClassifySummaryTest, FailuresAloneHaveNoTimes) {
  ClassifySummary summary;
  summary.AddFailure();
  EXPECT_EQ(summary.Format(milliseconds(500)),
            "0 pictures classified in 0.50 s; 1 failed\n");
}

}  // namespace
}  // namespace groupmamba::client
