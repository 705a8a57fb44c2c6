// An engine on strings: a test sees each batch as it starts, holds it, and says
// which pictures the model cannot bear.

#ifndef GROUPMAMBA_TESTS_TESTING_PUPPET_ENGINE_H_
#define GROUPMAMBA_TESTS_TESTING_PUPPET_ENGINE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "base/mutex.h"
#include "model/engine.h"
#include "tests/testing/simulated_clock.h"

namespace groupmamba {

// Pictures are told apart by their first byte. A picture's logit 0 is that
// byte, the others are 0. Thread-safe; must outlive its engines.
class Puppet {
 public:
  explicit Puppet(int classes) : classes_(classes) {}

  // Several may be made; they share the strings. An engine fails when it is
  // called on another thread than the one that made it.
  std::unique_ptr<Engine> MakeEngine();

  // From now on every call waits, once it was shown to AwaitCall, for Release.
  void Hold();

  // Lets one held call go; each further one needs a Release of its own.
  void Release();

  // Lets all go that wait or come.
  void ReleaseAll();

  // From now on a batch takes so long by that clock.
  void Take(SimulatedClock* clock, Duration time);

  // Batches with this picture fail.
  void Poison(uint8_t picture);

  // Its device is lost: every batch from now on is UNAVAILABLE.
  void LoseDevice();

  // Blocks until the next call that began since Hold or Watch; returns its
  // pictures in their order.
  std::vector<uint8_t> AwaitCall();

  // From now on AwaitCall shows the calls; so that warming up does not count.
  void Watch();

  // How many calls AwaitCall has not shown yet.
  int calls_left() const;

 private:
  class PuppetEngine;

  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits);

  const int classes_;
  mutable Mutex mutex_;
  CondVar changed_;
  SimulatedClock* clock_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Duration time_ ABSL_GUARDED_BY(mutex_) = {};
  bool watching_ ABSL_GUARDED_BY(mutex_) = false;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  int released_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<uint8_t> poison_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::vector<uint8_t>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_TESTS_TESTING_PUPPET_ENGINE_H_
