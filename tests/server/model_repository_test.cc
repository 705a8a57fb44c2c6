#include "server/model_repository.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/fake_engine.h"
#include "server/model_folders.h"
#include "tests/testing/simulated_clock.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

class FindModelsTest : public ::testing::Test {
 protected:
  // A model folder that is complete but for its weights, which are not read
  // here.
  void AddModel(const std::string& path) {
    ModelConfig config = *PublishedVariant("tiny");
    config.classes = 2;
    config.weights_sha256 = std::string(64, '0');
    dir_.Write(path + "/config.json", FormatModelConfig(config));
    dir_.Write(path + "/" + config.labels_file, "one\ntwo\n");
  }

  void AddFolder(const std::string& path) {
    std::filesystem::create_directories(dir_.Path(path));
  }

  const testing::TempDir dir_;
};

TEST_F(FindModelsTest, ServesTheHighestVersionOfEachModel) {
  for (const char* path : {"b/1", "b/9", "b/10", "a/2"}) AddModel(path);
  const auto models = FindModels(dir_.path());
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
    AddFolder(path);
  }
  const auto models = FindModels(dir_.path());
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).version, 1);
}

TEST_F(FindModelsTest, AFolderWithoutModelsIsAnErrorThatNamesIt) {
  const absl::Status status = FindModels(dir_.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(dir_.path()));
  EXPECT_EQ(FindModels(dir_.Path("missing")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FindModelsTest, ABrokenModelIsAnErrorNotSkipped) {
  AddModel("a/1");
  AddFolder("a/2");
  EXPECT_FALSE(FindModels(dir_.path()).ok());
}

class ModelRepositoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<ServedModel> Model(const std::string& name, int64_t version) {
    ModelFolder folder = FakeModel();
    folder.name = name;
    folder.version = version;
    return std::make_unique<ServedModel>(
        std::move(folder), ServedModelOptions{},
        metrics_.AddModel(name, version), &clock_);
  }

  std::unique_ptr<ModelRepository> Repository(
      const std::string& default_model = "") {
    std::vector<std::unique_ptr<ServedModel>> models;
    models.push_back(Model("b", 7));
    models.push_back(Model("a", 1));
    return std::make_unique<ModelRepository>(std::move(models), default_model);
  }

  SimulatedClock clock_;
  Admission admission_{{}};
  Metrics metrics_{&admission_};
};

TEST_F(ModelRepositoryTest, FindsByNameAndVersion) {
  const auto repository = Repository();
  EXPECT_EQ((*repository->Find("b", 0))->folder().name, "b");
  EXPECT_EQ((*repository->Find("b", 7))->folder().version, 7);
}

TEST_F(ModelRepositoryTest, UnknownNamesAndVersionsAreNotFound) {
  const auto repository = Repository();
  EXPECT_EQ(repository->Find("c", 0).status(), Error(Reason::kUnknownModel));
  EXPECT_EQ(repository->Find("b", 1).status(), Error(Reason::kUnknownVersion));
  EXPECT_EQ(repository->Find("b", -7).status(), Error(Reason::kUnknownVersion));
}

TEST_F(ModelRepositoryTest, NoNameMeansTheDefaultOrTheOnlyModel) {
  EXPECT_EQ(Repository()->Find("", 0).status(), Error(Reason::kModelNotNamed));
  const auto with_default = Repository("b");
  EXPECT_EQ((*with_default->Find("", 0))->folder().name, "b");
  EXPECT_EQ(Repository("c")->Find("", 0).status(),
            Error(Reason::kUnknownModel));
  std::vector<std::unique_ptr<ServedModel>> one;
  one.push_back(Model("only", 1));
  const ModelRepository only(std::move(one), "");
  EXPECT_EQ((*only.Find("", 0))->folder().name, "only");
}

TEST_F(ModelRepositoryTest, WhoHasAModelKeepsItWhenAnotherIsPut) {
  const auto repository = Repository();
  std::shared_ptr<ServedModel> before = *repository->Find("b", 0);
  EXPECT_EQ(repository->Put(Model("b", 8)), before);
  EXPECT_EQ((*repository->Find("b", 0))->folder().version, 8);
  EXPECT_EQ(repository->Find("b", 7).status(), Error(Reason::kUnknownVersion));
  EXPECT_EQ(before->folder().version, 7);
  EXPECT_EQ(repository->models().size(), 2u);
  EXPECT_EQ(repository->living().size(), 3u);
  before = nullptr;
  EXPECT_EQ(repository->living().size(), 2u);
}

TEST_F(ModelRepositoryTest, WhatIsRemovedIsUnknown) {
  const auto repository = Repository();
  EXPECT_EQ(repository->Remove("b")->folder().version, 7);
  EXPECT_EQ(repository->Find("b", 0).status(), Error(Reason::kUnknownModel));
  EXPECT_EQ(repository->Remove("b"), nullptr);
  EXPECT_EQ((*repository->Find("a", 0))->folder().name, "a");
}

TEST_F(ModelRepositoryTest, ModelsAreSortedByName) {
  const auto repository = Repository();
  repository->Put(Model("aa", 1));
  std::vector<std::string> names;
  for (const auto& model : repository->models()) {
    names.push_back(model->folder().name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "aa", "b"}));
}

}  // namespace
}  // namespace groupmamba
