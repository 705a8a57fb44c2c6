#include "server/pipeline.h"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_models.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int kSide = 32;  // of FakeModel's input

// A pipeline with one model, "fake", on a puppet's strings. It does not wait
// for company, since the clock stands still.
class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    puppet_.Take(&clock_, batch_time_);
    ASSERT_TRUE(
        model()
            .Load([this](const ModelFolder&) { return puppet_.MakeEngine(); })
            .ok());
    puppet_.Take(&clock_, Duration(0));
    puppet_.Watch();
  }

  ServedModel& model() { return *models_.models().front(); }

  // All of one colour, of the model's size; alive until the test's end.
  Picture Plain(uint8_t color) {
    std::vector<uint8_t>& pixels = pixels_[color];
    pixels.assign(size_t{3} * kSide * kSide, color);
    return {.kind = Picture::Kind::kPixels,
            .bytes = pixels,
            .width = kSide,
            .height = kSide};
  }

  Pipeline::Handle Submit(int id, const ClassifyInput& input) {
    return pipeline_.Submit(input, [this, id](absl::StatusOr<Answer> answer) {
      MutexLock lock(&mutex_);
      EXPECT_FALSE(answers_.contains(id)) << "answered twice";
      answers_.emplace(id, std::move(answer));
      changed_.NotifyAll();
    });
  }

  absl::StatusOr<Answer> Await(int id) {
    MutexLock lock(&mutex_);
    while (!answers_.contains(id)) changed_.Wait(&mutex_);
    return answers_.at(id);
  }

  absl::Status AwaitStatus(int id) { return Await(id).status(); }

  absl::StatusOr<Answer> Classify(const ClassifyInput& input) {
    const int id = --own_id_;
    Submit(id, input);
    return Await(id);
  }

  // Runs a first request until its batch is held, so that others have to wait.
  void OccupyTheModel() {
    puppet_.Hold();
    Submit(0, {.picture = Plain(0)});
    puppet_.AwaitCall();
  }

  std::string RequestsLine(const std::string& code,
                           const std::string& model_name = "fake",
                           int version = 1) {
    return absl::StrCat("groupmamba_requests_total{code=\"", code,
                        "\",model=\"", model_name,
                        "\",protocol=\"grpc\",version=\"", version, "\"} ");
  }

  Duration batch_time_ = {};  // while warming up
  SimulatedClock clock_;
  Puppet puppet_{10};
  std::map<uint8_t, std::vector<uint8_t>> pixels_;
  int own_id_ = 0;

  Mutex mutex_;
  CondVar changed_;
  Admission admission_{{.max_waiting = 4, .max_bytes = 1 << 20}};
  Metrics metrics_{&admission_};
  ModelRepository models_{
      OneFakeModel({.batch = {.max_delay = Duration(0)}, .max_waiting = 4},
                   &metrics_, &clock_),
      ""};
  // After the models, which wait until nobody holds one.
  std::map<int, absl::StatusOr<Answer>> answers_ ABSL_GUARDED_BY(mutex_);
  Pipeline pipeline_{
      {.decode_threads = 2}, &models_, &admission_, &metrics_, &clock_};
};

TEST_F(PipelineTest, APictureComesBackAsItsMostProbableClasses) {
  const auto answer = Classify({.picture = Plain(9), .top_k = 2});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->model.get(), &model());
  ASSERT_EQ(answer->top.size(), 2u);
  EXPECT_EQ(answer->top[0].index, 0);
  EXPECT_GT(answer->top[0].probability, 0.99f);
  EXPECT_EQ(answer->top[1].index, 1);
  EXPECT_EQ(answer->receipt.batch_size, 1);
}

TEST_F(PipelineTest, TopKIsFiveByDefaultAndAtMostTheNumberOfClasses) {
  EXPECT_EQ(Classify({.picture = Plain(1)})->top.size(), 5u);
  EXPECT_EQ(
      Classify({.picture = Plain(1), .top_k = 4'000'000'000u})->top.size(),
      10u);
}

TEST_F(PipelineTest, TheReceiptAccountsForEveryStage) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1)});
  // Decoding ends when the picture waits for the model.
  while (model().batcher().waiting() == 0) std::this_thread::yield();
  clock_.Advance(milliseconds(30));
  puppet_.Release();
  puppet_.AwaitCall();
  clock_.Advance(milliseconds(5));
  puppet_.ReleaseAll();
  const Receipt receipt = Await(1)->receipt;
  EXPECT_EQ(receipt.decode, Duration(0));
  EXPECT_EQ(receipt.queue, milliseconds(30));
  EXPECT_EQ(receipt.batch_wait, Duration(0));
  EXPECT_EQ(receipt.inference, milliseconds(5));
  EXPECT_EQ(receipt.total, milliseconds(35));
}

TEST_F(PipelineTest, UnknownModelsAreNotFoundAndNeverBecomeLabels) {
  for (const char* name : {"other", "../fake", "a\nb{c=\"d\"}"}) {
    EXPECT_EQ(Classify({.model = name, .picture = Plain(1)}).status(),
              Error(Reason::kUnknownModel));
  }
  EXPECT_EQ(
      Classify({.model = "fake", .version = 2, .picture = Plain(1)}).status(),
      Error(Reason::kUnknownVersion));
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr(RequestsLine("NOT_FOUND", "(unknown)", 0) + "4"));
  EXPECT_THAT(page, Not(HasSubstr("other")));
}

TEST_F(PipelineTest, WhatIsExpiredOnArrivalIsRefusedBeforeItIsDecoded) {
  // No picture either, which would have been INVALID_ARGUMENT.
  EXPECT_EQ(Classify({.deadline = clock_.Now()}).status(),
            Error(Reason::kExpired));
  EXPECT_EQ(admission_.usage().in_flight, 0);
}

TEST_F(PipelineTest, ABadPictureIsInvalidAndGivesItsPlaceBack) {
  const std::vector<uint8_t> text = {'n', 'o'};
  EXPECT_EQ(Classify({.picture = {.kind = Picture::Kind::kFile, .bytes = text}})
                .status()
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Classify({}).status(), Error(Reason::kNoPicture));
  EXPECT_TRUE(Classify({.picture = Plain(3)}).ok());
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_EQ(admission_.usage().bytes, 0);
  EXPECT_EQ(model().slots().in_use(), 0);
}

TEST_F(PipelineTest, AFullQueueRefusesAtOnceAndCountsWhy) {
  OccupyTheModel();
  for (int id = 1; id <= 4; ++id) Submit(id, {.picture = Plain(id)});
  EXPECT_EQ(Classify({.picture = Plain(9)}).status().message(),
            Error(Reason::kQueueFull).message());
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("groupmamba_refused_total{reason=\"queue_full\"} 1"));
  puppet_.ReleaseAll();
  for (int id = 0; id <= 4; ++id) EXPECT_TRUE(Await(id).ok());
}

TEST_F(PipelineTest, TooManyBytesAreRefused) {
  const std::vector<uint8_t> large((1 << 20) + 1);
  EXPECT_EQ(
      Classify({.picture = {.kind = Picture::Kind::kFile, .bytes = large}})
          .status()
          .message(),
      Error(Reason::kBytesFull).message());
}

TEST_F(PipelineTest, WithoutADeadlineTheServersOwnHolds) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1)});
  while (model().batcher().waiting() == 0) std::this_thread::yield();
  clock_.Advance(seconds(10));
  // At once, although the model is still busy.
  EXPECT_EQ(AwaitStatus(1), Error(Reason::kExpired));
  puppet_.ReleaseAll();
}

TEST_F(PipelineTest, ALongerDeadlineThanTheServersIsCut) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1), .deadline = clock_.Now() + seconds(3600)});
  while (model().batcher().waiting() == 0) std::this_thread::yield();
  clock_.Advance(seconds(60));
  puppet_.ReleaseAll();
  EXPECT_EQ(AwaitStatus(1), Error(Reason::kExpired));
}

TEST_F(PipelineTest, WhoIsCancelledWhileWaitingLeavesAtOnce) {
  OccupyTheModel();
  const Pipeline::Handle handle = Submit(1, {.picture = Plain(1)});
  pipeline_.Cancel(handle);
  EXPECT_EQ(AwaitStatus(1), Error(Reason::kCancelled));
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(0).ok());
  EXPECT_EQ(puppet_.calls_left(), 0);
  EXPECT_THAT(metrics_.Page(), HasSubstr(RequestsLine("CANCELLED") + "1"));
}

TEST_F(PipelineTest, CancellingAnAnsweredRequestDoesNothing) {
  const Pipeline::Handle handle = Submit(1, {.picture = Plain(1)});
  EXPECT_TRUE(Await(1).ok());
  pipeline_.Cancel(handle);
  pipeline_.Cancel({});
}

TEST_F(PipelineTest, AfterCloseWhatIsInsideIsAnsweredAndWhatIsNewIsRefused) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1)});
  pipeline_.Close();
  EXPECT_EQ(Classify({.picture = Plain(2)}).status(), Error(Reason::kDraining));
  puppet_.ReleaseAll();
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_TRUE(Await(0).ok());
  EXPECT_TRUE(Await(1).ok());
}

TEST_F(PipelineTest, AbortAnswersWhoWaitsAndLetsTheRunningBatchFinish) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1)});
  pipeline_.Close();
  pipeline_.Abort();
  EXPECT_EQ(AwaitStatus(1), Error(Reason::kDraining));
  puppet_.ReleaseAll();
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_TRUE(Await(0).ok());
}

TEST_F(PipelineTest, APictureThatTheModelCannotBearFailsAlone) {
  puppet_.Poison(2);
  OccupyTheModel();
  for (int id = 1; id <= 3; ++id) Submit(id, {.picture = Plain(id)});
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).ok());
  EXPECT_EQ(AwaitStatus(2), Error(Reason::kModelFailed));
  EXPECT_TRUE(Await(3).ok());
}

TEST_F(PipelineTest, AModelThatIsNotLoadedIsUnavailable) {
  const ModelRepository repository(
      OneFakeModel({.batch = {.max_delay = Duration(0)}, .max_waiting = 4},
                   &metrics_, &clock_),
      "");
  Pipeline pipeline({}, &repository, &admission_, &metrics_, &clock_);
  absl::Status status;
  pipeline.Submit({.picture = Plain(1)}, [&](absl::StatusOr<Answer> answer) {
    status = answer.status();
  });
  EXPECT_EQ(status, Error(Reason::kLoading));
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("groupmamba_refused_total{reason=\"loading\"} 1"));
}

TEST_F(PipelineTest, AReplacedModelAnswersWhatItHasInTime) {
  OccupyTheModel();
  Submit(1, {.picture = Plain(1)});
  Submit(2, {.picture = Plain(2), .deadline = clock_.Now() + milliseconds(50)});
  ModelFolder next = FakeModel();
  next.version = 2;
  models_.Put(
      std::make_unique<ServedModel>(std::move(next), ServedModelOptions{},
                                    metrics_.AddModel("fake", 2), &clock_));
  EXPECT_EQ(Classify({.version = 1, .picture = Plain(3)}).status(),
            Error(Reason::kUnknownVersion));
  clock_.Advance(milliseconds(50));
  EXPECT_EQ(AwaitStatus(2), Error(Reason::kExpired));
  puppet_.ReleaseAll();
  EXPECT_EQ(Await(1)->model->folder().version, 1);
}

// A batch of whatever size takes 100 ms, as far as the server knows.
class SlowPipelineTest : public PipelineTest {
 protected:
  SlowPipelineTest() { batch_time_ = milliseconds(100); }
};

TEST_F(SlowPipelineTest, WhatWouldBeLateIsRefusedAtOnceAndToldHowLate) {
  OccupyTheModel();
  // 100 ms until the model is free, 100 for its own batch, 10 % of caution.
  const absl::Status status =
      Classify(
          {.picture = Plain(1), .deadline = clock_.Now() + milliseconds(150)})
          .status();
  EXPECT_EQ(status.message(), Error(Reason::kLate).message());
  EXPECT_NEAR(ToMilliseconds(PauseOf(status)), 70, 1);
  EXPECT_THAT(metrics_.Page(),
              HasSubstr("groupmamba_refused_total{reason=\"late\"} 1"));
  Submit(1,
         {.picture = Plain(1), .deadline = clock_.Now() + milliseconds(250)});
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(1).ok());
}

TEST_F(SlowPipelineTest, AnIdleServerTriesEvenWhatItExpectsToBeLate) {
  EXPECT_TRUE(Classify({.picture = Plain(1),
                        .deadline = clock_.Now() + milliseconds(50)})
                  .ok());
}

TEST_F(SlowPipelineTest, HigherPriorityIsPromisedToBeEarlier) {
  OccupyTheModel();
  for (int id = 1; id <= 3; ++id) {
    Submit(id, {.picture = Plain(id), .priority = Priority::kLow});
  }
  TimePoint deadline = clock_.Now() + milliseconds(230);
  Submit(
      4,
      {.picture = Plain(4), .priority = Priority::kHigh, .deadline = deadline});
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(4).ok());
}

// Many clients, some of whom go away: each gets exactly one answer, and nothing
// is left behind.
TEST_F(PipelineTest, UnderLoadEveryoneIsAnsweredOnceAndTheBooksBalance) {
  constexpr int kClients = 4;
  constexpr int kRequests = 200;
  const Picture picture = Plain(5);
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < kRequests; ++i) {
        const auto handle = pipeline_.Submit(
            {.picture = picture}, [&](absl::StatusOr<Answer>) { ++answered; });
        if ((i + client) % 3 == 0) pipeline_.Cancel(handle);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_EQ(answered, kClients * kRequests);
  EXPECT_EQ(model().slots().in_use(), 0);
  EXPECT_EQ(admission_.usage().waiting, 0);
  EXPECT_THAT(
      metrics_.Page(),
      HasSubstr(absl::StrCat("groupmamba_request_duration_seconds_count{model="
                             "\"fake\",protocol=\"grpc\"} ",
                             kClients * kRequests, "\n")));
}

}  // namespace
}  // namespace groupmamba
