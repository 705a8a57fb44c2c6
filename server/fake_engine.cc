#include "server/fake_engine.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace groupmamba {
namespace {

class FakeEngine : public Engine {
 public:
  FakeEngine(const ModelConfig& config, Duration service_time, Clock* clock)
      : bytes_(size_t{3} * config.input.crop * config.input.crop),
        classes_(config.classes),
        service_time_(service_time),
        clock_(clock) {}

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    for (size_t i = 0; i < images.size(); ++i) {
      Answer(images[i], logits.subspan(i * classes_, classes_));
    }
    Sleep();
    return absl::OkStatus();
  }

  std::string device() const override { return "fake"; }
  std::string precision() const override { return "fp32"; }

 private:
  void Answer(const uint8_t* image, absl::Span<float> logits) const {
    std::vector<double> sums(classes_);
    std::vector<int> counts(classes_);
    for (size_t i = 0; i < bytes_; ++i) {
      sums[i % classes_] += image[i];
      ++counts[i % classes_];
    }
    for (size_t c = 0; c < classes_; ++c) {
      logits[c] =
          counts[c] == 0 ? 0.f : static_cast<float>(sums[c] / counts[c] / 255);
    }
  }

  void Sleep() {
    const TimePoint until = clock_->Now() + service_time_;
    MutexLock lock(&mutex_);
    while (clock_->Now() < until) clock_->WaitUntil(&never_, &mutex_, until);
  }

  const size_t bytes_;
  const size_t classes_;
  const Duration service_time_;
  Clock* const clock_;
  Mutex mutex_;
  CondVar never_;
};

}  // namespace

std::unique_ptr<Engine> MakeFakeEngine(const ModelConfig& config,
                                       Duration service_time, Clock* clock) {
  return std::make_unique<FakeEngine>(config, service_time, clock);
}

ModelFolder FakeModel() {
  ModelFolder model;
  model.name = "fake";
  model.version = 1;
  model.config = *PublishedVariant("tiny");
  model.config.classes = 10;
  model.config.input = {.resize = 32, .crop = 32};
  for (int i = 0; i < model.config.classes; ++i) {
    model.labels.push_back(absl::StrCat("class ", i));
  }
  return model;
}

}  // namespace groupmamba
