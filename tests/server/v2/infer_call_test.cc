#include "server/v2/infer_call.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/status_map.h"
#include "tests/server/v2/messages.h"
#include "tests/testing/fake_models.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba::v2 {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Calls on a pipeline whose one model, "fake", hangs on a puppet's strings.
class InferCallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        models_.models()[0]
            ->Load([this](const ModelFolder&) { return puppet_.MakeEngine(); })
            .ok());
    puppet_.Watch();
  }

  // A call, its messages and how it ended.
  struct Call {
    ModelInferRequest request;
    ModelInferResponse response;
    std::shared_ptr<InferCall> call;
    bool ended = false;
    absl::Status status;
  };

  Call* Start(ModelInferRequest request, TimePoint deadline = kForever) {
    calls_.push_back(std::make_unique<Call>());
    Call* const call = calls_.back().get();
    call->request = std::move(request);
    call->call =
        InferCall::Start(context_, call->request, {deadline}, &call->response,
                         [this, call](const absl::Status& s) {
                           MutexLock lock(&mutex_);
                           EXPECT_FALSE(call->ended) << "ended twice";
                           call->status = s;
                           call->ended = true;
                           changed_.NotifyAll();
                         });
    return call;
  }

  absl::Status Await(Call* call) {
    MutexLock lock(&mutex_);
    while (!call->ended) changed_.Wait(&mutex_);
    return call->status;
  }

  // Runs a first request until its batch is held, so that others have to wait.
  Call* OccupyTheModel() {
    puppet_.Hold();
    Call* const first = Start(PixelsRequest({100}));
    puppet_.AwaitCall();
    return first;
  }

  int RequestsEnded(const std::string& code) const {
    const std::string line =
        absl::StrCat("\ngroupmamba_requests_total{code=\"", code,
                     "\",model=\"fake\",protocol=\"v2\",version=\"1\"} ");
    const std::string page = metrics_.Page();
    const size_t at = page.find(line);
    return at == std::string::npos ? -1
                                   : std::atoi(page.c_str() + at + line.size());
  }

  inference::ModelStatistics StatisticsOf(InputKind kind) const {
    inference::ModelStatistics filled;
    statistics_.Fill({.model = models_.models()[0], .kind = kind}, &filled);
    return filled;
  }

  SimulatedClock clock_;
  Puppet puppet_{10};
  Mutex mutex_;
  CondVar changed_;
  Admission admission_{{.max_waiting = 6}};
  Metrics metrics_{&admission_};
  ModelRepository models_{
      OneFakeModel({.batch = {.max_delay = Duration(0)}, .max_waiting = 6},
                   &metrics_, &clock_),
      ""};
  // After the models, which wait until nobody holds one.
  std::vector<std::unique_ptr<Call>> calls_;
  Statistics statistics_;
  Pipeline pipeline_{
      {.decode_threads = 2}, &models_, &admission_, &metrics_, &clock_};
  const InferContext context_{.pipeline = &pipeline_,
                              .models = &models_,
                              .metrics = &metrics_,
                              .statistics = &statistics_,
                              .clock = &clock_,
                              .max_batch = 8};
};

std::vector<float> Floats(const std::string& raw) {
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

TEST_F(InferCallTest, EachPictureHasItsRowInTheOrderOfTheRequest) {
  ModelInferRequest request = PixelsRequest({9, 0, 9});
  request.set_id("call-7");
  Call* const call = Start(request);
  ASSERT_TRUE(Await(call).ok()) << call->status;
  const ModelInferResponse& response = call->response;
  EXPECT_EQ(response.id(), "call-7");
  EXPECT_EQ(response.model_name(), "fake");
  EXPECT_EQ(response.model_version(), "1");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "probabilities");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(3, 10));
  ASSERT_EQ(response.raw_output_contents_size(), 1);
  const std::vector<float> p = Floats(response.raw_output_contents(0));
  ASSERT_EQ(p.size(), 30u);
  // The puppet's logit 0 is the colour, the others are 0.
  EXPECT_GT(p[0], 0.99f);
  EXPECT_FLOAT_EQ(p[10], 0.1f);
  EXPECT_FLOAT_EQ(p[19], 0.1f);
  EXPECT_EQ(p[20], p[0]);
}

TEST_F(InferCallTest, ClassificationGivesValueIndexAndLabelBestFirst) {
  ModelInferRequest request = PixelsRequest({0, 0});
  auto* output = request.add_outputs();
  output->set_name("probabilities");
  (*output->mutable_parameters())["classification"].set_int64_param(2);
  Call* const call = Start(request);
  ASSERT_TRUE(Await(call).ok()) << call->status;
  EXPECT_EQ(call->response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(call->response.outputs(0).shape(), ElementsAre(2, 2));
  std::string expected;
  for (int picture = 0; picture < 2; ++picture) {
    AppendBytes("0.100000:0:class 0", &expected);
    AppendBytes("0.100000:1:class 1", &expected);
  }
  EXPECT_EQ(call->response.raw_output_contents(0), expected);
}

TEST_F(InferCallTest, MoreClassesThanThereAreAreCut) {
  ModelInferRequest request = PixelsRequest({0});
  auto* output = request.add_outputs();
  output->set_name("probabilities");
  (*output->mutable_parameters())["classification"].set_int64_param(INT64_MAX);
  Call* const call = Start(request);
  ASSERT_TRUE(Await(call).ok()) << call->status;
  EXPECT_THAT(call->response.outputs(0).shape(), ElementsAre(1, 10));
}

TEST_F(InferCallTest, OneBadFileFailsItsRequestAndSaysWhichItIs) {
  Call* const call = Start(EncodedRequest({"no", "picture"}));
  const absl::Status status = Await(call);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(
      std::string(status.message()),
      ::testing::MatchesRegex("unknown_format: .* \\(picture [12] of 2\\)"));
  Call* const single = Start(EncodedRequest({"no"}));
  EXPECT_THAT(std::string(Await(single).message()),
              ::testing::Not(HasSubstr("(picture")));
}

TEST_F(InferCallTest, APictureThatTheModelCannotBearFailsItsRequestAlone) {
  puppet_.Poison(2);
  Call* const first = OccupyTheModel();
  Call* const poisoned = Start(PixelsRequest({1, 2}));
  Call* const other = Start(PixelsRequest({3}));
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(first).ok());
  EXPECT_EQ(Await(poisoned), Error(Reason::kModelFailed));
  EXPECT_TRUE(Await(other).ok());
}

TEST_F(InferCallTest, WhenOneIsRefusedTheOthersAreNotComputed) {
  Call* const first = OccupyTheModel();
  Call* const call = Start(PixelsRequest({1, 2, 3, 4, 5, 6, 7}));
  const absl::Status refused = Await(call);
  EXPECT_EQ(refused.message(), Error(Reason::kQueueFull).message());
  EXPECT_GT(PauseOf(refused), Duration::zero());
  EXPECT_EQ(call->response.outputs_size(), 0);
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(first).ok());
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_EQ(puppet_.calls_left(), 0);
}

TEST_F(InferCallTest, ACancelledRequestLeavesAtOnce) {
  Call* const first = OccupyTheModel();
  Call* const call = Start(PixelsRequest({1, 2}));
  call->call->Cancel();
  EXPECT_EQ(Await(call), Error(Reason::kCancelled));
  call->call->Cancel();  // and again, when it is over
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(first).ok());
  EXPECT_EQ(puppet_.calls_left(), 0);
  EXPECT_EQ(RequestsEnded("CANCELLED"), 1);
}

TEST_F(InferCallTest, TheEarlierOfDeadlineAndTimeoutHolds) {
  Call* const first = OccupyTheModel();
  ModelInferRequest timed = PixelsRequest({1});
  (*timed.mutable_parameters())["timeout"].set_int64_param(20'000);
  Call* const by_timeout = Start(timed, clock_.Now() + milliseconds(100));
  Call* const by_deadline = Start(timed, clock_.Now() + milliseconds(10));
  Call* const untimed = Start(PixelsRequest({1}));
  while (models_.models()[0]->batcher().waiting() < 3) {
    std::this_thread::yield();
  }
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(Await(by_deadline), Error(Reason::kExpired));
  Call* const late = Start(timed);  // 20 ms from now
  while (models_.models()[0]->batcher().waiting() < 3) {
    std::this_thread::yield();
  }
  clock_.Advance(milliseconds(10));
  EXPECT_EQ(Await(by_timeout), Error(Reason::kExpired));
  puppet_.ReleaseAll();
  EXPECT_TRUE(Await(first).ok());
  EXPECT_TRUE(Await(untimed).ok());
  EXPECT_TRUE(Await(late).ok());
}

TEST_F(InferCallTest, PriorityOvertakes) {
  OccupyTheModel();
  ModelInferRequest urgent = PixelsRequest(std::vector<uint8_t>{2});
  (*urgent.mutable_parameters())["priority"].set_uint64_param(1);
  Start(PixelsRequest({1}));
  Start(urgent);
  while (models_.models()[0]->batcher().waiting() < 2) {
    std::this_thread::yield();
  }
  puppet_.Release();
  EXPECT_THAT(puppet_.AwaitCall(), ElementsAre(2, 1));
  puppet_.ReleaseAll();
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
}

TEST_F(InferCallTest, ARequestCountsOnceWhateverItHolds) {
  EXPECT_TRUE(Await(Start(PixelsRequest({1, 2, 3}))).ok());
  EXPECT_FALSE(Await(Start(EncodedRequest({"no", "picture"}))).ok());
  ModelInferRequest malformed = PixelsRequest({1});
  malformed.clear_inputs();
  EXPECT_FALSE(Await(Start(malformed)).ok());
  ModelInferRequest unknown = PixelsRequest({1});
  unknown.set_model_name("other");
  EXPECT_EQ(Await(Start(unknown)), Error(Reason::kUnknownModel));

  EXPECT_EQ(RequestsEnded("OK"), 1);
  EXPECT_EQ(RequestsEnded("INVALID_ARGUMENT"), 2);
  const std::string page = metrics_.Page();
  EXPECT_THAT(page,
              HasSubstr("requests_total{code=\"NOT_FOUND\",model=\""
                        "(unknown)\",protocol=\"v2\",version=\"0\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("groupmamba_images_total{model=\"fake\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("request_duration_seconds_count{model=\"fake\","
                              "protocol=\"v2\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("request_duration_seconds_count{model=\"fake\","
                              "protocol=\"grpc\"} 0\n"));
}

// perf_analyzer divides these by each other.
TEST_F(InferCallTest, StatisticsAddUpAndAreOfOneName) {
  Call* const first = OccupyTheModel();
  Call* const call = Start(PixelsRequest({1, 2, 3}));
  Call* const bad = Start(EncodedRequest({"no"}));
  EXPECT_FALSE(Await(bad).ok());
  while (models_.models()[0]->batcher().waiting() < 3) {
    std::this_thread::yield();
  }
  clock_.Advance(milliseconds(30));
  puppet_.Release();
  puppet_.AwaitCall();
  clock_.Advance(milliseconds(5));
  puppet_.ReleaseAll();
  ASSERT_TRUE(Await(first).ok());
  ASSERT_TRUE(Await(call).ok());

  const inference::ModelStatistics pixels = StatisticsOf(InputKind::kPixels);
  EXPECT_EQ(pixels.name(), "fake");
  EXPECT_EQ(pixels.version(), "1");
  EXPECT_EQ(pixels.inference_count(), 4u);
  EXPECT_EQ(pixels.execution_count(), 2u);
  EXPECT_GT(pixels.last_inference(), 1'700'000'000'000u);
  const inference::InferStatistics& stats = pixels.inference_stats();
  for (const auto* sum :
       {&stats.success(), &stats.queue(), &stats.compute_input(),
        &stats.compute_infer(), &stats.compute_output()}) {
    EXPECT_EQ(sum->count(), 2u);
  }
  EXPECT_EQ(stats.fail().count(), 0u);
  // The first was in the model for 30 ms, while the second waited.
  EXPECT_EQ(stats.success().ns(), 65'000'000u);
  EXPECT_EQ(stats.queue().ns(), 30'000'000u);
  EXPECT_EQ(stats.compute_infer().ns(), 35'000'000u);
  EXPECT_EQ(stats.success().ns(),
            stats.queue().ns() + stats.compute_input().ns() +
                stats.compute_infer().ns() + stats.compute_output().ns());

  const inference::ModelStatistics encoded = StatisticsOf(InputKind::kEncoded);
  EXPECT_EQ(encoded.name(), "fake+encoded");
  EXPECT_EQ(encoded.inference_count(), 0u);
  EXPECT_EQ(encoded.inference_stats().success().count(), 0u);
  EXPECT_EQ(encoded.inference_stats().fail().count(), 1u);
}

TEST_F(InferCallTest, AfterCloseItIsToldThatTheServerDrains) {
  pipeline_.Close();
  EXPECT_EQ(Await(Start(PixelsRequest({1, 2}))), Error(Reason::kDraining));
}

// Many callers, some of whom go away: each call ends once, and nothing is left
// behind.
TEST_F(InferCallTest, UnderLoadEveryCallEndsOnce) {
  constexpr int kCallers = 4;
  constexpr int kCalls = 100;
  const ModelInferRequest request = PixelsRequest({5, 6});
  std::atomic<int> ended = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      std::vector<ModelInferResponse> responses(kCalls);
      for (int i = 0; i < kCalls; ++i) {
        const auto call =
            InferCall::Start(context_, request, {}, &responses[i],
                             [&](const absl::Status&) { ++ended; });
        if ((i + caller) % 3 == 0) call->Cancel();
      }
      while (ended < kCallers * kCalls) std::this_thread::yield();
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(pipeline_.AwaitIdle(kForever));
  EXPECT_EQ(ended, kCallers * kCalls);
  EXPECT_EQ(models_.models()[0]->slots().in_use(), 0);
}

}  // namespace
}  // namespace groupmamba::v2
