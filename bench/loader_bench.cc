// How many pictures a second the trainer's loader prepares by the ImageNet
// recipe, by its threads: JPEGs of 500x375 pixels, in memory. Beside it the
// limit, which is the same work in plain loops on as many threads, without an
// order, a queue or batches.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/cores.h"
#include "bench/provenance.h"
#include "model/training/loader.h"
#include "opencv2/core/utility.hpp"
#include "tests/testing/image_encoders.h"

namespace groupmamba::training {
namespace {

constexpr int kPictures = 64;
constexpr int kBatch = 32;
constexpr int kSteps = 12;
constexpr int kRounds = 3;  // the best counts

class JpegPictures final : public PictureSource {
 public:
  JpegPictures() {
    for (int seed = 1; seed <= kPictures; ++seed) {
      files_.push_back(EncodeJpeg(MakePicture(500, 375, 3, seed)));
    }
  }

  int64_t count() const override { return kPictures; }
  const std::vector<std::string>& labels() const override { return labels_; }
  int label(int64_t i) const override { return 0; }
  std::string name(int64_t i) const override { return std::to_string(i); }
  absl::StatusOr<cv::Mat> Read(int64_t i) const override {
    return DecodeTrusted(files_[i]);
  }

 private:
  std::vector<Bytes> files_;
  const std::vector<std::string> labels_ = {"one"};
};

InputConfig Input() {
  return {.resize = 256,
          .crop = 224,
          .mean = {0.485f, 0.456f, 0.406f},
          .std = {0.229f, 0.224f, 0.225f}};
}

AugmentSpec Recipe() {
  return {.smallest_crop = 0.08,
          .random = {.operations = 2},
          .erase_probability = 0.25};
}

double LoaderSeconds(const JpegPictures& pictures, int threads) {
  BrokenPictures broken(0);
  const TimePoint start = RealClock::Get()->Now();
  Loader loader(&pictures, &broken,
                {.input = Input(),
                 .augment = Recipe(),
                 .threads = threads,
                 .end_step = kSteps},
                [](int64_t step) {
                  PlannedStep plan;
                  plan.epoch = step;
                  for (int i = 0; i < kBatch; ++i) {
                    plan.pictures.push_back((step * kBatch + i) % kPictures);
                  }
                  return plan;
                });
  for (int step = 0; step < kSteps; ++step) {
    if (!loader.Next().ok()) std::abort();
  }
  return ToSeconds(RealClock::Get()->Now() - start);
}

double LimitSeconds(const JpegPictures& pictures, int threads) {
  std::atomic<int> next = 0;
  const auto work = [&] {
    std::vector<uint8_t> out(size_t{3} * 224 * 224);
    for (int i = next++; i < kSteps * kBatch; i = next++) {
      const cv::Mat rgb = pictures.Read(i % kPictures).value();
      const Random random({1, static_cast<uint64_t>(i / kBatch),
                           static_cast<uint64_t>(i % kPictures)});
      if (!Augment(Recipe(), Input(), random, rgb, absl::MakeSpan(out)).ok()) {
        std::abort();
      }
    }
  };
  const TimePoint start = RealClock::Get()->Now();
  std::vector<std::thread> crew;
  crew.reserve(threads);
  for (int i = 0; i < threads; ++i) crew.emplace_back(work);
  for (std::thread& thread : crew) thread.join();
  return ToSeconds(RealClock::Get()->Now() - start);
}

double BestRate(const std::function<double()>& seconds) {
  double best = seconds();
  for (int round = 1; round < kRounds; ++round) {
    best = std::min(best, seconds());
  }
  return kSteps * kBatch / best;
}

void Run() {
  std::printf("%s\n", bench::Provenance().c_str());
  cv::setNumThreads(1);
  const JpegPictures pictures;
  for (int threads = 1; threads <= UsableCores(); threads *= 2) {
    const double limit =
        BestRate([&] { return LimitSeconds(pictures, threads); });
    const double loader =
        BestRate([&] { return LoaderSeconds(pictures, threads); });
    std::printf("%d threads: %.0f pictures/s, %.2f of the limit (%.0f)\n",
                threads, loader, loader / limit, limit);
  }
}

}  // namespace
}  // namespace groupmamba::training

int main() { groupmamba::training::Run(); }
