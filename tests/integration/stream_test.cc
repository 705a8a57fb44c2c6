// ClassifyStream: items that live and fail each by itself.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/item_stream.h"
#include "tests/integration/server_fixture.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/test_pictures.h"

namespace groupmamba {
namespace {

using grpc::StatusCode;
using ::testing::StartsWith;

class StreamTest : public ServerFixture {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::ClassifyStreamRequest,
                                          v1::ClassifyStreamResponse>;

  void TearDown() override { puppet_.ReleaseAll(); }

  // On a puppet's strings, held.
  void StartPuppet(const ServerOptions& options = Options(),
                   Clock* clock = RealClock::Get()) {
    Start(
        options, [this](const ModelFolder&) { return puppet_.MakeEngine(); },
        clock);
    puppet_.Hold();
  }

  static v1::ClassifyStreamRequest Item(const std::string& id, uint8_t color) {
    v1::ClassifyStreamRequest item;
    item.set_id(id);
    v1::RawPicture* raw = item.mutable_request()->mutable_raw();
    raw->set_width(32);
    raw->set_height(32);
    raw->set_rgb(std::string(3 * 32 * 32, static_cast<char>(color)));
    return item;
  }

  // The rest of the stream, by id; its status in `status_`.
  std::map<std::string, v1::ClassifyStreamResponse> ReadAll(Stream* stream) {
    std::map<std::string, v1::ClassifyStreamResponse> all;
    v1::ClassifyStreamResponse response;
    while (stream->Read(&response)) {
      EXPECT_FALSE(all.contains(response.id())) << "answered twice";
      all[response.id()] = response;
    }
    status_ = stream->Finish();
    return all;
  }

  static void ExpectDraining(const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), StartsWith("draining: "));
  }

  Puppet puppet_{10};
  grpc::ClientContext context_;
  grpc::Status status_;
};

TEST_F(StreamTest, EachItemHasItsOwnStatus) {
  Start();
  const auto stream = classifier_->ClassifyStream(&context_);
  v1::ClassifyStreamRequest good;
  good.set_id("good");
  good.mutable_request()->set_encoded(MakePng(40, 30, 1));
  good.mutable_request()->set_top_k(2);
  v1::ClassifyStreamRequest bad = good;
  bad.set_id("bad");
  bad.mutable_request()->set_encoded("no picture");
  v1::ClassifyStreamRequest unknown = good;
  unknown.set_id("unknown");
  unknown.mutable_request()->set_model("other");
  v1::ClassifyStreamRequest empty;
  empty.set_id("empty");
  for (const auto& item : {bad, good, unknown, empty}) {
    ASSERT_TRUE(stream->Write(item));
  }
  stream->WritesDone();
  const auto answers = ReadAll(stream.get());
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers.at("good").code(), StatusCode::OK);
  EXPECT_EQ(answers.at("good").response().predictions_size(), 2);
  EXPECT_EQ(answers.at("good").response().model(), "fake");
  EXPECT_EQ(answers.at("bad").code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(answers.at("bad").message(), StartsWith("unknown_format: "));
  EXPECT_FALSE(answers.at("bad").has_response());
  EXPECT_EQ(answers.at("unknown").code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(answers.at("empty").code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(answers.at("empty").message(), StartsWith("no_picture: "));
}

TEST_F(StreamTest, AnEmptyStreamEndsWell) {
  Start();
  const auto stream = classifier_->ClassifyStream(&context_);
  stream->WritesDone();
  EXPECT_TRUE(ReadAll(stream.get()).empty());
  EXPECT_TRUE(status_.ok());
}

TEST_F(StreamTest, AnAnswerDoesNotWaitForAnEarlierItem) {
  StartPuppet();
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("slow", 1)));
  ASSERT_TRUE(stream->Write(v1::ClassifyStreamRequest()));
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.code(), StatusCode::INVALID_ARGUMENT);
  puppet_.ReleaseAll();
  stream->WritesDone();
  EXPECT_EQ(ReadAll(stream.get()).count("slow"), 1u);
}

TEST_F(StreamTest, NoMoreThanTheWindowIsUnderWay) {
  StartPuppet();
  const auto stream = classifier_->ClassifyStream(&context_);
  constexpr int kWindow = kStreamWindow;
  constexpr int kItems = 3 * kWindow;
  std::thread writer([&] {
    for (int i = 0; i < kItems; ++i) {
      EXPECT_TRUE(stream->Write(Item(absl::StrCat(i), 1)));
    }
    stream->WritesDone();
  });
  AwaitInFlight(kWindow);
  // Whoever comes by another way is let in; the stream reads no further.
  std::thread other([&] {
    v1::ClassifyResponse response;
    EXPECT_TRUE(Classify(Item("", 2).request(), &response).ok());
  });
  AwaitInFlight(kWindow + 1);
  puppet_.ReleaseAll();
  EXPECT_EQ(ReadAll(stream.get()).size(), static_cast<size_t>(kItems));
  EXPECT_TRUE(status_.ok());
  writer.join();
  other.join();
}

TEST_F(StreamTest, CancellingTheStreamFreesThePlacesOfItsItems) {
  StartPuppet();
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("running", 1)));
  puppet_.AwaitCall();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(stream->Write(Item(absl::StrCat(i), 2)));
  }
  AwaitInFlight(6);
  context_.TryCancel();
  AwaitInFlight(1);
  EXPECT_TRUE(ReadAll(stream.get()).empty());
  EXPECT_EQ(status_.error_code(), StatusCode::CANCELLED);
  puppet_.ReleaseAll();
  AwaitInFlight(0);
  EXPECT_EQ(puppet_.calls_left(), 0) << "what waited was not computed";
}

TEST_F(StreamTest, AnItemsDeadlineEndsTheItemAlone) {
  SimulatedClock clock;
  StartPuppet(Options(), &clock);
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("running", 1)));
  puppet_.AwaitCall();
  v1::ClassifyStreamRequest urgent = Item("urgent", 2);
  urgent.set_deadline_ms(20);
  ASSERT_TRUE(stream->Write(urgent));
  stream->WritesDone();
  AwaitInFlight(2);
  clock.Advance(std::chrono::milliseconds(20));
  puppet_.ReleaseAll();
  const auto answers = ReadAll(stream.get());
  server_.reset();  // before its clock
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(answers.at("running").code(), StatusCode::OK);
  EXPECT_EQ(answers.at("urgent").code(), StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(StreamTest, ARefusedItemSaysWhenToTryAgain) {
  ServerOptions options = Options();
  options.admission.max_waiting = 1;
  StartPuppet(options);
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("running", 1)));
  puppet_.AwaitCall();
  ASSERT_TRUE(stream->Write(Item("waiting", 2)));
  ASSERT_TRUE(stream->Write(Item("refused", 3)));
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.id(), "refused");
  EXPECT_EQ(response.code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GT(response.retry_after_ms(), 0u);
  puppet_.ReleaseAll();
  stream->WritesDone();
  EXPECT_EQ(ReadAll(stream.get()).size(), 2u);
}

TEST_F(StreamTest, ADrainingServerAnswersWhatItHasAndRefusesTheRest) {
  StartPuppet();
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("early", 1)));
  puppet_.AwaitCall();
  std::thread drain([&] { EXPECT_TRUE(server_->Drain({})); });
  // Until the gate is closed what comes is still let in.
  int sent = 0;
  v1::ClassifyStreamResponse response;
  do {
    v1::ClassifyStreamRequest item;
    item.set_id(absl::StrCat(sent++));
    item.mutable_request()->set_encoded("no picture");
    ASSERT_TRUE(stream->Write(item));
    ASSERT_TRUE(stream->Read(&response));
  } while (response.code() == StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(response.code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(response.message(), StartsWith("draining: "));
  puppet_.ReleaseAll();
  drain.join();
  EXPECT_EQ(ReadAll(stream.get()).at("early").code(), StatusCode::OK);
  ExpectDraining(status_);
}

TEST_F(StreamTest, AServerThatDrainsEndsAnIdleStream) {
  Start();
  const auto stream = classifier_->ClassifyStream(&context_);
  ASSERT_TRUE(stream->Write(Item("a", 1)));
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(server_->Drain({}));
  EXPECT_FALSE(stream->Read(&response));
  ExpectDraining(stream->Finish());
}

TEST_F(StreamTest, AStreamThatComesAfterADrainIsEnded) {
  Start();
  EXPECT_TRUE(server_->Drain({}));
  const auto stream = classifier_->ClassifyStream(&context_);
  EXPECT_TRUE(ReadAll(stream.get()).empty());
  ExpectDraining(status_);
}

// gRPC's own end of a server resets streams, and what their clients have not
// read is lost.
TEST_F(StreamTest, AnswersThatWereNotReadYetOutliveTheServer) {
  StartPuppet();
  const auto stream = classifier_->ClassifyStream(&context_);
  constexpr int kItems = 10;
  for (int i = 0; i < kItems; ++i) {
    ASSERT_TRUE(stream->Write(Item(absl::StrCat(i), 1)));
  }
  AwaitInFlight(kItems);
  puppet_.ReleaseAll();
  EXPECT_TRUE(server_->Drain({}));
  server_.reset();
  EXPECT_EQ(ReadAll(stream.get()).size(), static_cast<size_t>(kItems));
  ExpectDraining(status_);
}

}  // namespace
}  // namespace groupmamba
