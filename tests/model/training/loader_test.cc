#include "model/training/loader.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/training/tiny_run.h"

namespace groupmamba::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bars, of which some cannot be read.
class DamagedPictures final : public PictureSource {
 public:
  DamagedPictures(int count, std::set<int64_t> damaged)
      : bars_(count), damaged_(std::move(damaged)) {}

  int64_t count() const override { return bars_.count(); }
  const std::vector<std::string>& labels() const override {
    return bars_.labels();
  }
  int label(int64_t i) const override { return bars_.label(i); }
  std::string name(int64_t i) const override { return bars_.name(i); }
  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    if (damaged_.count(i) > 0) return absl::InvalidArgumentError("corrupt");
    return bars_.Read(i);
  }

 private:
  const BarPictures bars_;
  const std::set<int64_t> damaged_;
};

LoaderOptions Options(int threads) {
  const TrainSettings settings = TinySettings("");
  return {.input = MakeModelConfig(settings).input,
          .augment = MakeAugmentSpec(settings),
          .seed = 7,
          .threads = threads,
          .ahead = 3,
          .end_step = 6};
}

// Steps of four pictures, three steps an epoch, in an order of each epoch's
// own.
PlannedStep ShuffledPlan(int64_t step) {
  const std::vector<int32_t> order = EpochOrder(7, step / 3, 13);
  const auto first = order.begin() + step % 3 * 4;
  return {.epoch = step / 3, .pictures = {first, first + 4}};
}

std::vector<LoadedBatch> LoadAll(const PictureSource& pictures,
                                 const LoaderOptions& options,
                                 const Plan& plan) {
  BrokenPictures broken(100);
  Loader loader(&pictures, &broken, options, plan);
  std::vector<LoadedBatch> batches;
  for (int64_t step = options.first_step; step < options.end_step; ++step) {
    auto batch = loader.Next();
    EXPECT_TRUE(batch.ok()) << batch.status();
    batches.push_back(*std::move(batch));
  }
  EXPECT_TRUE(absl::IsOutOfRange(loader.Next().status()));
  return batches;
}

bool Same(const LoadedBatch& a, const LoadedBatch& b) {
  return a.pixels == b.pixels && a.labels == b.labels &&
         a.pictures == b.pictures;
}

TEST(Loader, TheSameSeedGivesTheSameBatchesWhateverTheThreads) {
  const DamagedPictures pictures(13, {4, 5});
  const auto one = LoadAll(pictures, Options(1), ShuffledPlan);
  ASSERT_EQ(one.size(), 6u);
  EXPECT_FALSE(one[0].pixels == one[3].pixels);
  for (const int threads : {2, 3, 8}) {
    const auto more = LoadAll(pictures, Options(threads), ShuffledPlan);
    for (int step = 0; step < 6; ++step) {
      EXPECT_TRUE(Same(one[step], more[step])) << threads << ", " << step;
    }
  }
}

TEST(Loader, ARunThatGoesOnSeesWhatItWouldHaveSeen) {
  const BarPictures pictures(13);
  const auto whole = LoadAll(pictures, Options(2), ShuffledPlan);
  LoaderOptions later = Options(2);
  later.first_step = 4;
  const auto rest = LoadAll(pictures, later, ShuffledPlan);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_TRUE(Same(rest[0], whole[4]));
  EXPECT_TRUE(Same(rest[1], whole[5]));
}

TEST(Loader, AnotherSeedChangesThePictures) {
  const BarPictures pictures(13);
  LoaderOptions other = Options(1);
  other.seed = 8;
  EXPECT_FALSE(LoadAll(pictures, Options(1), ShuffledPlan)[0].pixels ==
               LoadAll(pictures, other, ShuffledPlan)[0].pixels);
}

TEST(Loader, ForABrokenPictureTheNextOneStandsIn) {
  const DamagedPictures pictures(6, {2, 3, 5});
  LoaderOptions options = Options(2);
  options.end_step = 1;
  const LoadedBatch batch = LoadAll(pictures, options, InOrder(6, 6)).front();
  EXPECT_THAT(batch.pictures, ElementsAre(0, 1, 4, 4, 4, 0));
  EXPECT_THAT(batch.labels, ElementsAre(0, 1, 4, 4, 4, 0));
}

TEST(Loader, ABrokenTestPictureHasNoRightAnswer) {
  const DamagedPictures pictures(3, {1});
  LoaderOptions options = Options(2);
  options.augment.reset();
  options.end_step = 1;
  const LoadedBatch batch = LoadAll(pictures, options, InOrder(3, 3)).front();
  EXPECT_THAT(batch.labels, ElementsAre(0, -1, 2));
  const auto second = batch.pixels.begin() + 32 * 32 * 3;
  EXPECT_EQ(std::count(second, second + 32 * 32 * 3, 0), 32 * 32 * 3);
}

TEST(Loader, TooManyBrokenPicturesEndItWithTheirNames) {
  const DamagedPictures pictures(6, {1, 4});
  for (const int most : {1, 2}) {
    BrokenPictures broken(most);
    LoaderOptions options = Options(2);
    options.end_step = 1;
    Loader loader(&pictures, &broken, options, InOrder(6, 6));
    const auto batch = loader.Next();
    EXPECT_EQ(batch.ok(), most == 2) << batch.status();
    EXPECT_EQ(broken.count(), 2);
    if (batch.ok()) continue;
    EXPECT_TRUE(absl::IsDataLoss(batch.status()));
    EXPECT_THAT(batch.status().message(), HasSubstr("bar 1, bar 4"));
  }
}

TEST(Loader, WhenNoPictureCanBeReadThatIsSaid) {
  const DamagedPictures pictures(2, {0, 1});
  BrokenPictures broken(100);
  LoaderOptions options = Options(1);
  options.end_step = 1;
  Loader loader(&pictures, &broken, options, InOrder(2, 2));
  EXPECT_TRUE(absl::IsDataLoss(loader.Next().status()));
}

// Plans are asked in order, and no more of them than may be ahead.
TEST(Loader, WorksAheadAsFarAsItMayAndNoFurther) {
  const BarPictures pictures(13);
  LoaderOptions options = Options(2);
  options.end_step = 100;
  std::vector<int64_t> asked;
  BrokenPictures broken(0);
  {
    Loader loader(&pictures, &broken, options, [&asked](int64_t step) {
      asked.push_back(step);
      return PlannedStep{.epoch = 0, .pictures = {0, 1}};
    });
    for (int step = 0; step < 5; ++step) ASSERT_TRUE(loader.Next().ok());
  }
  ASSERT_GE(asked.size(), 5u);
  EXPECT_LE(asked.size(), 8u);  // those taken, and three ahead
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(asked[i], static_cast<int64_t>(i));
  }
}

}  // namespace
}  // namespace groupmamba::training
