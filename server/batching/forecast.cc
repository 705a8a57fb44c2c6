#include "server/batching/forecast.h"

#include <algorithm>
#include <cmath>

namespace groupmamba {
namespace {

constexpr double kMemorySeconds = 0.5;

// As if nobody had come for so long at first, so that two who come together do
// not look like a crowd.
constexpr double kPriorSeconds = 0.02;

constexpr double kPreparationStep = 0.1;

}  // namespace

void CompanyRate::Arrive(TimePoint now) {
  Advance(now);
  if (inside_ > 0) arrivals_ += 1;
  ++inside_;
}

void CompanyRate::Leave(TimePoint now, int count) {
  Advance(now);
  inside_ -= count;
}

double CompanyRate::per_second() const {
  return arrivals_ / (seconds_ + kPriorSeconds);
}

void CompanyRate::Advance(TimePoint now) {
  if (inside_ > 0 && now > last_) {
    const double passed = ToSeconds(now - last_);
    const double kept = std::exp(-passed / kMemorySeconds);
    arrivals_ *= kept;
    seconds_ = seconds_ * kept + passed;
  }
  last_ = now;
}

Forecast::Forecast(int max_batch, int instances)
    : times_(max_batch), free_(instances), busy_(instances) {}

void Forecast::Arrived(TimePoint now, Priority priority) {
  company_.Arrive(now);
  ++Of(priority).coming;
  ++coming_;
}

void Forecast::CalledOff(TimePoint now, Priority priority) {
  company_.Leave(now, 1);
  --Of(priority).coming;
  --coming_;
}

void Forecast::Ready(Priority priority, Duration preparation) {
  preparation_s_ +=
      kPreparationStep * (ToSeconds(preparation) - preparation_s_);
  --Of(priority).coming;
  --coming_;
  ++Of(priority).waiting;
}

void Forecast::LeftQueue(TimePoint now, Priority priority) {
  company_.Leave(now, 1);
  --Of(priority).waiting;
}

void Forecast::Taken(Priority priority) { --Of(priority).waiting; }

void Forecast::Started(TimePoint now, int instance, int size) {
  busy_[instance] = true;
  free_[instance] = now + times_.Typical(size);
}

void Forecast::Finished(TimePoint now, int instance, int size) {
  company_.Leave(now, size);
  busy_[instance] = false;
  free_[instance] = now;
  best_size_ = times_.BestSize(times_.max_batch());
}

Duration Forecast::Gap() const {
  if (coming_ > 0) return FromSeconds(preparation_s_ / coming_);
  const double rate = company_.per_second();
  // Below one in a hundred seconds, nobody.
  if (rate < 0.01) return kNever;
  return FromSeconds(1 / rate + preparation_s_);
}

Prediction Forecast::Predict(TimePoint now, Priority priority) const {
  int ahead = 0;
  for (int p = 0; p <= static_cast<int>(priority); ++p) {
    ahead += counts_[p].coming + counts_[p].waiting;
  }
  const auto instances = static_cast<int>(free_.size());
  const Duration batch = times_.Typical(best_size_);
  Duration until_free = Duration::max();
  bool all_busy = true;
  for (int i = 0; i < instances; ++i) {
    all_busy = all_busy && busy_[i];
    // One that is overdue may take as long again.
    until_free =
        std::min(until_free, busy_[i] ? std::chrono::abs(free_[i] - now)
                                      : Duration::zero());
  }
  Prediction prediction;
  prediction.caution = times_.caution();
  prediction.idle = ahead == 0 && !all_busy;
  prediction.start = until_free + batch * (ahead / best_size_) / instances;
  prediction.finish = prediction.start + times_.Typical(ahead % best_size_ + 1);
  prediction.per_picture = batch / best_size_ / instances;
  return prediction;
}

}  // namespace groupmamba
