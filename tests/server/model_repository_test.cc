#include "server/model_repository.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/fake_engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A folder of its own for each test, gone afterwards.
class FindModelsTest : public ::testing::Test {
 protected:
  FindModelsTest()
      : root_(::testing::TempDir() + "find_models." +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~FindModelsTest() override { fs::remove_all(root_); }

  // A model folder that is complete but for its weights, which are not read here.
  void AddModel(const std::string& path) {
    fs::create_directories(root_ + "/" + path);
    for (const char* file : {"config.json", "labels.txt"}) {
      fs::copy_file(std::string(GM_SOURCE_DIR "/tests/data/server/model/") +
                        file,
                    root_ + "/" + path + "/" + file);
    }
  }

  const std::string root_;
};

TEST_F(FindModelsTest, ServesTheHighestVersionOfEachModel) {
  for (const char* path : {"b/1", "b/9", "b/10", "a/2"}) AddModel(path);
  const auto models = FindModels(root_);
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 2u);
  EXPECT_EQ(models->at(0).name, "a");
  EXPECT_EQ(models->at(0).version, 2);
  EXPECT_EQ(models->at(1).name, "b");
  EXPECT_EQ(models->at(1).version, 10);
}

TEST_F(FindModelsTest, PassesOverWhatIsNoModel) {
  AddModel("a/1");
  for (const char* path : {"a/02", "a/0", "a/-3", "a/new", "a/1e3", "empty",
                           ".hidden/1", "sp ace/1"}) {
    fs::create_directories(root_ + "/" + path);
  }
  const auto models = FindModels(root_);
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).version, 1);
}

TEST_F(FindModelsTest, AFolderWithoutModelsIsAnErrorThatNamesIt) {
  const absl::Status status = FindModels(root_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(root_));
  EXPECT_EQ(FindModels(root_ + "/missing").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FindModelsTest, ABrokenModelIsAnErrorNotSkipped) {
  AddModel("a/1");
  fs::create_directories(root_ + "/a/2");
  EXPECT_FALSE(FindModels(root_).ok());
}

class ModelRepositoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<ServedModel> Model(const std::string& name,
                                     int64_t version) {
    ModelFolder folder = FakeModel();
    folder.name = name;
    folder.version = version;
    return std::make_unique<ServedModel>(
        std::move(folder), ServedModelOptions{},
        metrics_.AddModel(name, version), &clock_);
  }

  ModelRepository Repository(const std::string& default_model = "") {
    std::vector<std::unique_ptr<ServedModel>> models;
    models.push_back(Model("a", 1));
    models.push_back(Model("b", 7));
    return ModelRepository(std::move(models), default_model);
  }

  SimulatedClock clock_;
  Admission admission_{{}};
  Metrics metrics_{&admission_};
};

TEST_F(ModelRepositoryTest, FindsByNameAndVersion) {
  const ModelRepository repository = Repository();
  EXPECT_EQ((*repository.Find("b", 0))->folder().name, "b");
  EXPECT_EQ((*repository.Find("b", 7))->folder().version, 7);
}

TEST_F(ModelRepositoryTest, UnknownNamesAndVersionsAreNotFound) {
  const ModelRepository repository = Repository();
  EXPECT_EQ(repository.Find("c", 0).status(), Error(Reason::kUnknownModel));
  EXPECT_EQ(repository.Find("b", 1).status(), Error(Reason::kUnknownVersion));
  EXPECT_EQ(repository.Find("b", -7).status(), Error(Reason::kUnknownVersion));
}

TEST_F(ModelRepositoryTest, NoNameMeansTheDefaultOrTheOnlyModel) {
  EXPECT_EQ(Repository().Find("", 0).status(), Error(Reason::kModelNotNamed));
  EXPECT_EQ((*Repository("b").Find("", 0))->folder().name, "b");
  EXPECT_EQ(Repository("c").Find("", 0).status(),
            Error(Reason::kUnknownModel));
  std::vector<std::unique_ptr<ServedModel>> one;
  one.push_back(Model("only", 1));
  EXPECT_EQ(
      (*ModelRepository(std::move(one), "").Find("", 0))->folder().name,
      "only");
}

}  // namespace
}  // namespace groupmamba
