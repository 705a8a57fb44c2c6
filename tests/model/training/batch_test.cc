#include "model/training/batch.h"

#include <vector>

#include "ATen/Functions.h"
#include "ATen/TensorOperators.h"
#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

// n pictures of 4x4; picture i is i everywhere, its label i.
Batch Numbered(int64_t n) {
  Batch batch;
  batch.images =
      at::arange(n).to(at::kFloat).view({n, 1, 1, 1}).expand({n, 3, 4, 4});
  batch.images = batch.images.contiguous();
  batch.labels = at::arange(n);
  return batch;
}

TEST(MakeBatch, NormalisesEachChannel) {
  LoadedBatch loaded;
  loaded.pixels = {0, 51, 255, 102, 0, 0, 0, 0, 0, 0, 0, 0};
  loaded.labels = {7};
  loaded.pictures = {3};
  const Batch batch = MakeBatch(loaded, {.resize = 2,
                                         .crop = 2,
                                         .mean = {0.5f, 0.2f, 0.25f},
                                         .std = {0.5f, 0.1f, 0.25f}});
  EXPECT_EQ(batch.images.sizes(), at::IntArrayRef({1, 3, 2, 2}));
  EXPECT_FLOAT_EQ(batch.images[0][0][0][0].item<float>(), -1);
  EXPECT_FLOAT_EQ(batch.images[0][0][0][1].item<float>(), -0.2f);
  EXPECT_FLOAT_EQ(batch.images[0][1][0][0].item<float>(), 0);
  EXPECT_FLOAT_EQ(batch.images[0][2][0][0].item<float>(), 3);
  EXPECT_EQ(batch.labels.item<int64_t>(), 7);
  EXPECT_EQ(batch.pictures, std::vector<int32_t>{3});
}

TEST(ApplyMix, MixupBlendsNeighbours) {
  Batch batch = Numbered(4);
  ApplyMix({.share = 0.75, .box = {}}, &batch);
  EXPECT_EQ(batch.share, 0.75);
  const float expected[] = {0.25f, 0.75f, 2.25f, 2.75f};
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(
        at::allclose(batch.images[i], at::full({3, 4, 4}, expected[i])));
  }
}

TEST(ApplyMix, CutmixTakesTheNeighboursBoxAndNothingElse) {
  Batch batch = Numbered(4);
  ApplyMix({.share = 1 - 2.0 / 16, .box = {1, 2, 2, 1}}, &batch);
  for (int i = 0; i < 4; ++i) {
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 4; ++x) {
        const bool inside = y == 2 && (x == 1 || x == 2);
        EXPECT_EQ(batch.images[i][2][y][x].item<float>(), inside ? i ^ 1 : i);
      }
    }
  }
}

TEST(ApplyMix, TheLastOfAnOddNumberStays) {
  Batch batch = Numbered(3);
  ApplyMix({.share = 0.5, .box = {}}, &batch);
  EXPECT_TRUE(at::allclose(batch.images[2], at::full({3, 4, 4}, 2.0)));
  const at::Tensor targets = SoftTargets(batch.labels, 5, 0, batch.share);
  EXPECT_EQ(targets[2][2].item<float>(), 1);
}

// Halves of a batch, on two processes, are mixed as the whole is on one.
TEST(ApplyMix, OfAnEvenPartIsThePartOfTheWhole) {
  const Mix mix = {.share = 0.3, .box = {}};
  Batch whole = Numbered(8);
  Batch part = {.images = whole.images.narrow(0, 4, 4).clone(),
                .labels = whole.labels.narrow(0, 4, 4),
                .pictures = {}};
  ApplyMix(mix, &whole);
  ApplyMix(mix, &part);
  EXPECT_TRUE(at::equal(part.images, whole.images.narrow(0, 4, 4)));
  EXPECT_TRUE(
      at::equal(SoftTargets(part.labels, 8, 0.1, 0.3),
                SoftTargets(whole.labels, 8, 0.1, 0.3).narrow(0, 4, 4)));
}

TEST(SoftTargets, SumToOneWhateverIsMixedAndSmoothed) {
  const at::Tensor labels = at::tensor(at::ArrayRef<int64_t>({0, 2, 2, 1, 0}));
  for (const double smoothing : {0.0, 0.1, 0.9}) {
    for (const double share : {0.0, 0.3, 1.0}) {
      const at::Tensor targets = SoftTargets(labels, 3, smoothing, share);
      EXPECT_TRUE(at::allclose(targets.sum(1), at::ones({5})));
      EXPECT_GE(targets.min().item<float>(), 0);
    }
  }
}

TEST(SoftTargets, GiveEachLabelItsShare) {
  const at::Tensor labels = at::tensor(at::ArrayRef<int64_t>({0, 2}));
  const at::Tensor mixed = SoftTargets(labels, 4, /*smoothing=*/0, 0.75);
  EXPECT_FLOAT_EQ(mixed[0][0].item<float>(), 0.75f);
  EXPECT_FLOAT_EQ(mixed[0][2].item<float>(), 0.25f);
  EXPECT_FLOAT_EQ(mixed[0][1].item<float>(), 0);
  const at::Tensor smooth = SoftTargets(labels, 4, 0.2, 1);
  EXPECT_FLOAT_EQ(smooth[1][2].item<float>(), 0.85f);
  EXPECT_FLOAT_EQ(smooth[1][3].item<float>(), 0.05f);
}

}  // namespace
}  // namespace groupmamba::training
