#include "tests/testing/puppet_engine.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace groupmamba {

class Puppet::PuppetEngine : public Engine {
 public:
  explicit PuppetEngine(Puppet* puppet) : puppet_(puppet) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    if (std::this_thread::get_id() != maker_) {
      return absl::InternalError("called on a foreign thread");
    }
    return puppet_->Infer(images, logits);
  }
  std::string device() const override { return "puppet"; }
  std::string precision() const override { return "fp32"; }

 private:
  Puppet* const puppet_;
  const std::thread::id maker_ = std::this_thread::get_id();
};

std::unique_ptr<Engine> Puppet::MakeEngine() {
  return std::make_unique<PuppetEngine>(this);
}

void Puppet::Hold() {
  MutexLock lock(&mutex_);
  holding_ = true;
  watching_ = true;
}

void Puppet::Release() {
  MutexLock lock(&mutex_);
  ++released_;
  changed_.NotifyAll();
}

void Puppet::ReleaseAll() {
  MutexLock lock(&mutex_);
  holding_ = false;
  changed_.NotifyAll();
}

void Puppet::Take(SimulatedClock* clock, Duration time) {
  MutexLock lock(&mutex_);
  clock_ = clock;
  time_ = time;
}

void Puppet::Poison(uint8_t picture) {
  MutexLock lock(&mutex_);
  poison_.insert(picture);
}

void Puppet::LoseDevice() {
  MutexLock lock(&mutex_);
  lost_ = true;
}

void Puppet::Watch() {
  MutexLock lock(&mutex_);
  watching_ = true;
}

std::vector<uint8_t> Puppet::AwaitCall() {
  MutexLock lock(&mutex_);
  while (calls_.empty()) changed_.Wait(&mutex_);
  std::vector<uint8_t> call = std::move(calls_.front());
  calls_.pop_front();
  return call;
}

int Puppet::calls_left() const {
  MutexLock lock(&mutex_);
  return static_cast<int>(calls_.size());
}

absl::Status Puppet::Infer(absl::Span<const uint8_t* const> images,
                           absl::Span<float> logits) {
  std::fill(logits.begin(), logits.end(), 0.f);
  std::vector<uint8_t> pictures;
  for (size_t i = 0; i < images.size(); ++i) {
    pictures.push_back(images[i][0]);
    logits[i * classes_] = images[i][0];
  }
  MutexLock lock(&mutex_);
  if (watching_) {
    calls_.push_back(pictures);
    changed_.NotifyAll();
  }
  if (time_ > Duration::zero()) clock_->Advance(time_);
  while (holding_ && released_ == 0) changed_.Wait(&mutex_);
  if (holding_) --released_;
  if (lost_) return absl::UnavailableError("lost");
  for (uint8_t picture : pictures) {
    if (poison_.contains(picture)) return absl::InternalError("poison");
  }
  return absl::OkStatus();
}

}  // namespace groupmamba
