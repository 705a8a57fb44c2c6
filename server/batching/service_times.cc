#include "server/batching/service_times.h"

#include <algorithm>
#include <cmath>

namespace groupmamba {
namespace {

constexpr double kOwnStep = 0.25;
constexpr double kOthersStep = 0.1;
constexpr double kLargestError = 0.2;

constexpr double kStraysStep = 0.05;
constexpr double kCautionPerStray = 3;
constexpr double kLeastCaution = 1.1;
constexpr double kMostCaution = 1.5;

constexpr double kGoodEnough = 0.98;

constexpr double kCuriosity = 0.1;
constexpr int kForgotten = 1000;

// So that ratios have a meaning; the clock of a test may stand still.
constexpr double kShortest = 1e-7;

double SecondsOf(Duration time) { return std::max(ToSeconds(time), kShortest); }

}  // namespace

ServiceTimes::ServiceTimes(int max_batch)
    : seconds_(max_batch, kShortest), unseen_(max_batch) {}

void ServiceTimes::Seed(int size, Duration time) {
  const double seconds = SecondsOf(time);
  const double from = seeded_ == 0 ? 0 : seconds_[seeded_ - 1];
  for (int n = seeded_ + 1; n <= max_batch(); ++n) {
    seconds_[n - 1] =
        n <= size ? from + (seconds - from) * (n - seeded_) / (size - seeded_)
                  : seconds * n / size;
  }
  seeded_ = size;
}

void ServiceTimes::Observe(int size, Duration time) {
  double& own = seconds_[size - 1];
  const double error = std::log(SecondsOf(time) / own);
  strays_ += kStraysStep * (std::min(std::abs(error), 1.) - strays_);
  const double counted = std::clamp(error, -kLargestError, kLargestError);
  const double others = std::exp(kOthersStep * counted);
  own *= std::exp((kOwnStep - kOthersStep) * counted);
  for (double& seconds : seconds_) {
    seconds = std::max(seconds * others, kShortest);
  }
  for (int& batches : unseen_) batches = std::min(batches + 1, kForgotten);
  unseen_[size - 1] = 0;
}

Duration ServiceTimes::Typical(int size) const {
  return FromSeconds(seconds_[size - 1]);
}

double ServiceTimes::caution() const {
  return std::clamp(1 + kCautionPerStray * strays_, kLeastCaution,
                    kMostCaution);
}

int ServiceTimes::BestSize(int available) const {
  available = std::min(available, max_batch());
  const auto rate = [this](int n) {
    return n / seconds_[n - 1] * (1 + kCuriosity * unseen_[n - 1] / kForgotten);
  };
  double best = 0;
  for (int n = 1; n <= available; ++n) best = std::max(best, rate(n));
  int size = 1;
  while (rate(size) < kGoodEnough * best) ++size;
  return size;
}

}  // namespace groupmamba
