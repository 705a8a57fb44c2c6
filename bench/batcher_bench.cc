// What the batcher costs: 1 to 64 producers, one instance whose model takes no
// time. The lock is held by one thread at a time, so that the time a request
// holds it is at most the time between two answers.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "bench/provenance.h"
#include "server/batching/batcher.h"

namespace groupmamba {
namespace {

constexpr double kLimitUs = 2;  // a request's time with the lock held, at most
constexpr int kWindow = 32;     // requests of one producer without an answer
constexpr Duration kTime = std::chrono::seconds(1);
constexpr int kRounds = 3;

class NullEngine : public Engine {
 public:
  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    return absl::OkStatus();
  }
  std::string device() const override { return "null"; }
  std::string precision() const override { return "fp32"; }
};

void Produce(Batcher* batcher, std::atomic<uint64_t>* sequence,
             const std::atomic<bool>* stop, std::atomic<int64_t>* answers) {
  std::counting_semaphore<kWindow> window(kWindow);
  RealClock* const clock = RealClock::Get();
  while (!stop->load(std::memory_order_relaxed)) {
    window.acquire();
    const TimePoint now = clock->Now();
    auto task = std::make_unique<Task>(
        QueueKey{.deadline = now + std::chrono::seconds(1),
                 .sequence = sequence->fetch_add(1)},
        Picture{}, [&](const Task&, const absl::Status&) {
          answers->fetch_add(1, std::memory_order_relaxed);
          window.release();
        });
    task->times.arrived = now;
    batcher->Expect(Priority::kNormal);
    batcher->Enqueue(std::move(task));
  }
  for (int i = 0; i < kWindow; ++i) window.acquire();
}

// Answers a second.
double Measure(Batcher* batcher, int producers) {
  std::atomic<uint64_t> sequence = 0;
  std::atomic<int64_t> answers = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  const TimePoint from = RealClock::Get()->Now();
  for (int i = 0; i < producers; ++i) {
    threads.emplace_back([&] { Produce(batcher, &sequence, &stop, &answers); });
  }
  std::this_thread::sleep_for(kTime);
  const int64_t count = answers;
  const double seconds = ToSeconds(RealClock::Get()->Now() - from);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(count) / seconds;
}

int Main() {
  Batcher batcher({.policy = {.max_batch = 8}, .classes = 1}, RealClock::Get());
  if (!batcher.Start([] { return std::make_unique<NullEngine>(); }).ok()) {
    return 1;
  }
  std::printf("%s\n", bench::Provenance().c_str());
  std::printf("limit: %.1f us of lock-held time a request; best of %d rounds\n",
              kLimitUs, kRounds);
  std::printf("%10s %12s %14s %16s\n", "producers", "answers/s", "us/answer",
              "ratio to limit");
  for (int producers = 1; producers <= 64; producers *= 2) {
    double rate = 0;
    for (int round = 0; round < kRounds; ++round) {
      rate = std::max(rate, Measure(&batcher, producers));
    }
    std::printf("%10d %12.0f %14.2f %16.2f\n", producers, rate, 1e6 / rate,
                1e6 / rate / kLimitUs);
  }
  return 0;
}

}  // namespace
}  // namespace groupmamba

int main() { return groupmamba::Main(); }
