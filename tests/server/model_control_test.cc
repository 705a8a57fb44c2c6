#include "server/model_control.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/fake_engine.h"
#include "server/status_map.h"
#include "tests/testing/puppet_engine.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

// One that shares nothing with the thread that made it: the thread sanitizer
// does not see how Debian's Abseil counts who shares a status.
absl::Status Copy(const absl::Status& status) {
  return absl::Status(status.code(), status.message());
}

constexpr Duration kPoll = std::chrono::seconds(5);

class ModelControlTest : public ::testing::Test {
 protected:
  ModelControlTest() { Write("a", 1); }

  // A folder without weights: the fake engine reads none.
  void Write(const std::string& name, int64_t version) {
    ModelConfig config = FakeModel().config;
    config.input.mean = {0.5f, 0.5f, 0.5f};
    config.input.std = {0.5f, 0.5f, 0.5f};
    config.labels_file = "labels.txt";
    config.weights_file = "model.safetensors";
    config.weights_sha256 = std::string(64, '0');
    const std::string path = absl::StrCat(name, "/", version);
    std::string labels;
    for (int i = 0; i < config.classes; ++i) {
      absl::StrAppend(&labels, "version ", version, "\n");
    }
    dir_.Write(path + "/labels.txt", labels);
    dir_.Write(path + "/config.json", FormatModelConfig(config));
  }

  void Start(
      Duration poll = Duration::zero(),
      EngineFactory factory = [](const ModelFolder& model) {
        return MakeFakeEngine(model.config, Duration(0), RealClock::Get());
      }) {
    std::vector<std::unique_ptr<ServedModel>> models;
    auto folders = FindModels(dir_.path());
    ASSERT_TRUE(folders.ok()) << folders.status();
    for (ModelFolder& folder : *folders) {
      models.push_back(Make(std::move(folder)));
      ASSERT_TRUE(models.back()->Load(factory).ok());
    }
    models_ = std::make_unique<ModelRepository>(std::move(models), "");
    control_ = std::make_unique<ModelControl>(
        ModelControlOptions{.root = dir_.path(), .poll = poll}, models_.get(),
        &metrics_,
        [this](ModelFolder folder) { return Make(std::move(folder)); },
        [this](const std::string& name, bool serving) {
          health_[name] = serving;
        },
        &clock_);
    control_->Start(std::move(factory));
  }

  std::unique_ptr<ServedModel> Make(ModelFolder folder) {
    auto counts = metrics_.AddModel(folder.name, folder.version);
    return std::make_unique<ServedModel>(
        std::move(folder), ServedModelOptions{.batch = {.max_batch = 2}},
        std::move(counts), &clock_);
  }

  absl::Status Load(const std::string& name) {
    std::promise<absl::Status> done;
    control_->Load(name,
                   [&](const absl::Status& s) { done.set_value(Copy(s)); });
    return done.get_future().get();
  }

  absl::Status Unload(const std::string& name) {
    std::promise<absl::Status> done;
    control_->Unload(name,
                     [&](const absl::Status& s) { done.set_value(Copy(s)); });
    return done.get_future().get();
  }

  // Until all that was asked before is done: one thread does it in order.
  void Settle() { (void)Load("no such model"); }

  void Reload() {
    control_->Reload();
    Settle();
  }

  // Lets the thread look, and waits until it waits for the next time.
  void Poll() {
    clock_.AwaitWaiter(clock_.Now() + kPoll);
    clock_.Advance(kPoll);
    clock_.AwaitWaiter(clock_.Now() + kPoll);
  }

  // 0: not served.
  int64_t Version(const std::string& name) const {
    const auto model = models_->Find(name, 0);
    return model.ok() ? (*model)->folder().version : 0;
  }

  void ExpectFailures(int count) const {
    EXPECT_THAT(metrics_.Page(),
                HasSubstr(absl::StrCat("\ngroupmamba_reload_failures_total ",
                                       count, "\n")));
  }

  const testing::TempDir dir_;
  SimulatedClock clock_;
  Admission admission_{{}};
  Metrics metrics_{&admission_};
  std::map<std::string, bool> health_;
  std::unique_ptr<ModelRepository> models_;
  std::unique_ptr<ModelControl> control_;  // its thread uses all of the above
};

TEST_F(ModelControlTest, ReloadServesWhatTheFolderHas) {
  Start();
  Write("a", 3);
  Write("b", 1);
  Reload();
  EXPECT_EQ(Version("a"), 3);
  EXPECT_EQ(Version("b"), 1);
  EXPECT_TRUE(health_.at("b"));
  const std::string page = metrics_.Page();
  EXPECT_THAT(page, HasSubstr("model_ready{model=\"a\",version=\"1\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("model_ready{model=\"a\",version=\"3\"} 1\n"));

  std::filesystem::remove_all(dir_.Path("a/3"));
  std::filesystem::remove_all(dir_.Path("b"));
  Reload();
  EXPECT_EQ(Version("a"), 1);
  EXPECT_EQ(Version("b"), 0);
  EXPECT_FALSE(health_.at("b"));
  Write("b", 1);
  Reload();
  EXPECT_EQ(Version("b"), 1);
  ExpectFailures(0);
}

TEST_F(ModelControlTest, ReloadLeavesWhatHasNotChanged) {
  Start();
  const auto before = *models_->Find("a", 0);
  Reload();
  EXPECT_EQ(*models_->Find("a", 0), before);
  dir_.Write("a/1/labels.txt",
             "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");  // the same version, rewritten
  Reload();
  EXPECT_EQ((*models_->Find("a", 0))->folder().labels[9], "10");
}

TEST_F(ModelControlTest, ABadVersionLeavesTheOldOneServing) {
  Start();
  Write("a", 2);
  dir_.Write("a/2/config.json", "{\"architecture\": \"resnet\"}");
  Reload();
  EXPECT_EQ(Version("a"), 1);
  ExpectFailures(1);
  EXPECT_EQ(Load("a"), Error(Reason::kLoadFailed));
  EXPECT_EQ(Version("a"), 1);
  ExpectFailures(2);
  Write("a", 2);
  Reload();
  EXPECT_EQ(Version("a"), 2);
  ExpectFailures(2);
}

TEST_F(ModelControlTest, AnEngineThatCannotBeMadeLeavesTheOldOneServing) {
  int calls = 0;
  Start(
      Duration::zero(),
      [&](const ModelFolder& model) -> absl::StatusOr<std::unique_ptr<Engine>> {
        ++calls;
        if (calls == 2) return absl::FailedPreconditionError("no such tensor");
        if (calls == 3) throw std::bad_alloc();
        return MakeFakeEngine(model.config, Duration(0), RealClock::Get());
      });
  Write("a", 2);
  EXPECT_EQ(Load("a"), Error(Reason::kLoadFailed));
  EXPECT_EQ(Load("a"), Error(Reason::kLoadFailed));
  EXPECT_EQ(Version("a"), 1);
  ExpectFailures(2);
  EXPECT_TRUE(Load("a").ok());
  EXPECT_EQ(Version("a"), 2);
}

TEST_F(ModelControlTest, AFolderThatIsGoneLeavesAllServing) {
  Start();
  std::filesystem::rename(dir_.path(), dir_.path() + ".gone");
  Reload();
  EXPECT_EQ(Version("a"), 1);
  ExpectFailures(1);
  std::filesystem::rename(dir_.path() + ".gone", dir_.path());
}

TEST_F(ModelControlTest, AnUnloadedModelStaysSoUntilItIsLoaded) {
  Start();
  EXPECT_TRUE(Unload("a").ok());
  EXPECT_EQ(Version("a"), 0);
  EXPECT_FALSE(health_.at("a"));
  EXPECT_EQ(Unload("a"), Error(Reason::kUnknownModel));
  Write("a", 2);
  Reload();
  EXPECT_EQ(Version("a"), 0);
  EXPECT_TRUE(Load("a").ok());
  EXPECT_EQ(Version("a"), 2);
  EXPECT_TRUE(health_.at("a"));
}

TEST_F(ModelControlTest, NamesLeadNowhereElse) {
  Start();
  for (const char* name : {"", "..", "a/1", "../a", "b"}) {
    EXPECT_EQ(Load(name), Error(Reason::kUnknownModel)) << name;
  }
  ExpectFailures(0);
}

TEST_F(ModelControlTest, PollingTakesAVersionThatRests) {
  Start(kPoll);
  Write("a", 2);
  Poll();  // seen for the first time: maybe it is still being copied
  EXPECT_EQ(Version("a"), 1);
  dir_.Write("a/2/more", "");
  Poll();
  EXPECT_EQ(Version("a"), 1);
  Poll();
  EXPECT_EQ(Version("a"), 2);
}

TEST_F(ModelControlTest, PollingTriesABadVersionOnceUntilItChanges) {
  Start(kPoll);
  dir_.Write("a/2/config.json", "");
  for (int i = 0; i < 4; ++i) Poll();
  ExpectFailures(1);
  Write("a", 2);
  for (int i = 0; i < 2; ++i) Poll();
  EXPECT_EQ(Version("a"), 2);
  ExpectFailures(1);
}

TEST_F(ModelControlTest, LoadsAtOnceRunOneAfterAnother) {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  Start(Duration::zero(), [&](const ModelFolder& model) {
    most = std::max(most.load(), ++inside);
    auto engine = MakeFakeEngine(model.config, Duration(0), RealClock::Get());
    --inside;
    return engine;
  });
  std::vector<std::future<absl::Status>> loads;
  loads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    loads.push_back(std::async(std::launch::async, [&] { return Load("a"); }));
  }
  for (auto& load : loads) EXPECT_TRUE(load.get().ok());
  EXPECT_EQ(most, 1);
}

TEST_F(ModelControlTest, AModelEndsWhenItsLastUserLetsGo) {
  Start();
  std::weak_ptr<ServedModel> old;
  {
    const auto user = *models_->Find("a", 0);
    old = user;
    Write("a", 2);
    EXPECT_TRUE(Load("a").ok());
    EXPECT_FALSE(old.expired());
  }
  EXPECT_TRUE(old.expired());
}

TEST_F(ModelControlTest, StoppingAnswersWhoAsked) {
  Start();
  control_->Stop();
  EXPECT_EQ(Load("a"), Error(Reason::kDraining));
  EXPECT_EQ(Version("a"), 1);
}

TEST_F(ModelControlTest, StoppingEndsALoadThatRuns) {
  Puppet puppet(FakeModel().config.classes);
  Start(Duration::zero(),
        [&](const ModelFolder&) { return puppet.MakeEngine(); });
  puppet.Hold();
  std::promise<absl::Status> done;
  control_->Load("a", [&](const absl::Status& s) { done.set_value(Copy(s)); });
  puppet.AwaitCall();  // warming up
  control_->Stop();
  puppet.ReleaseAll();
  EXPECT_EQ(done.get_future().get(), Error(Reason::kDraining));
  ExpectFailures(0);
  control_ = nullptr;
  models_ = nullptr;  // before the puppet
}

TEST_F(ModelControlTest, WithoutAFolderNothingIsChanged) {
  models_ = std::make_unique<ModelRepository>(
      std::vector<std::unique_ptr<ServedModel>>{}, "");
  ModelControl control({}, models_.get(), &metrics_, nullptr, nullptr, &clock_);
  control.Start(nullptr);
  absl::Status status;
  control.Load("a", [&](const absl::Status& s) { status = s; });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace groupmamba
