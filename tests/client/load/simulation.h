// A load test whose server and time are simulated: every run is the same, and
// takes no time.

#ifndef GROUPMAMBA_TESTS_CLIENT_LOAD_SIMULATION_H_
#define GROUPMAMBA_TESTS_CLIENT_LOAD_SIMULATION_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.h"
#include "client/load/target.h"

namespace groupmamba::client {

// A server and the time it lives in: calls are answered `service(index)` after
// they came in, and waiting moves the time on to the next answer. One thread;
// every run is the same.
class Simulation : public Clock, public LoadTarget {
 public:
  std::function<Duration(int64_t)> service = [](int64_t) {
    return std::chrono::milliseconds(1);
  };
  std::function<LoadAnswer(int64_t)> answer = [](int64_t) {
    return LoadAnswer();
  };
  // Time that the call itself takes on the sending thread.
  std::function<Duration(int64_t)> blocks = [](int64_t) { return Duration(0); };

  int64_t started() const { return started_; }
  int most_in_flight() const { return most_in_flight_; }

  TimePoint Now() const override { return now_; }

  void WaitUntil(CondVar*, Mutex* mutex, TimePoint time) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!answers_.empty() && answers_.begin()->first <= time) {
      auto next = answers_.extract(answers_.begin());
      now_ = std::max(now_, next.key());
      mutex->Unlock();
      next.mapped()();
      mutex->Lock();
      return;
    }
    if (time == kForever) std::abort();  // nothing would ever end the wait
    now_ = time;
  }

  void Start(int64_t index,
             std::function<void(const LoadAnswer&)> done) override {
    EXPECT_EQ(index, started_++);
    now_ += blocks(index);
    ++in_flight_;
    most_in_flight_ = std::max(most_in_flight_, in_flight_);
    answers_.emplace(now_ + service(index),
                     [this, index, done = std::move(done)] {
                       --in_flight_;
                       done(answer(index));
                     });
  }

 private:
  TimePoint now_{std::chrono::seconds(1000)};
  std::multimap<TimePoint, std::function<void()>> answers_;
  int64_t started_ = 0;
  int in_flight_ = 0;
  int most_in_flight_ = 0;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_TESTS_CLIENT_LOAD_SIMULATION_H_
