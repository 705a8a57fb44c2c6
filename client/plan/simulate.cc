#include "client/plan/simulate.h"

#include <algorithm>
#include <deque>
#include <queue>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "client/load/arrivals.h"
#include "server/batching/forecast.h"
#include "server/batching/policy.h"

namespace groupmamba::client {
namespace {

constexpr Priority kPriority = Priority::kNormal;

void Seed(const Profile& profile, ServiceTimes* times) {
  for (const auto& [size, time] : profile.batch_times) times->Seed(size, time);
}

class Simulation {
 public:
  Simulation(const Profile& profile, const SimulatedLoad& load)
      : profile_(profile),
        load_(load),
        random_(load.seed),
        arrivals_(ArrivalKind::kPoisson, RateProfile::Constant(load.rate),
                  load.seed),
        forecast_(profile.policy.max_batch, profile.instances),
        truth_(profile.policy.max_batch),
        instances_(profile.instances) {
    Seed(profile, &forecast_.times());
    Seed(profile, &truth_);
    for (int i = 0; i < profile.instances; ++i) {
      forecast_.Finished(now_, i, 0);
    }
  }

  SimulatedResult Run() {
    ArriveLater();
    while (!events_.empty()) {
      const auto [time, sequence, event] = events_.top();
      events_.pop();
      now_ = time;
      Happen(event);
    }
    return Result(ToSeconds(now_ - start_));
  }

 private:
  enum class What { kArrival, kDecoded, kBatchDone, kLookAgain };

  struct Event {
    What what = What::kArrival;
    TimePoint arrived = {};  // kDecoded
    int instance = 0;        // kBatchDone, kLookAgain
    int look = 0;            // kLookAgain: which one is meant
  };

  // Times of arrival of a batch, and of what the instance does.
  struct Instance {
    bool busy = false;
    TimePoint free_since;
    TimePoint started;
    int look = 0;
    std::vector<TimePoint> batch;
  };

  struct Later {
    bool operator()(const std::tuple<TimePoint, int64_t, Event>& a,
                    const std::tuple<TimePoint, int64_t, Event>& b) const {
      return std::make_pair(std::get<0>(a), std::get<1>(a)) >
             std::make_pair(std::get<0>(b), std::get<1>(b));
    }
  };

  void At(TimePoint time, const Event& event) {
    events_.emplace(time, sequence_++, event);
  }

  void Happen(const Event& event) {
    switch (event.what) {
      case What::kArrival:
        Arrive();
        return;
      case What::kDecoded:
        Decoded(event.arrived);
        break;
      case What::kBatchDone:
        FinishBatch(event.instance);
        break;
      case What::kLookAgain:
        if (event.look != instances_[event.instance].look) return;
        break;
    }
    for (int i = 0; i < profile_.instances; ++i) {
      if (!instances_[i].busy) Look(i);
    }
  }

  void ArriveLater() {
    At(start_ + arrivals_.Next(), {.what = What::kArrival});
  }

  void Arrive() {
    if (++arrived_ < load_.calls) ArriveLater();
    const Prediction prediction = forecast_.Predict(now_, kPriority);
    if (!prediction.idle && ToSeconds(prediction.finish) * prediction.caution >
                                ToSeconds(load_.deadline)) {
      return;  // refused
    }
    forecast_.Arrived(now_, kPriority);
    to_decode_.push_back(now_);
    DecodeNext();
  }

  void DecodeNext() {
    if (to_decode_.empty() || decoding_ == profile_.decode_threads) return;
    ++decoding_;
    At(now_ + profile_.decode,
       {.what = What::kDecoded, .arrived = to_decode_.front()});
    to_decode_.pop_front();
  }

  void Decoded(TimePoint arrived) {
    --decoding_;
    DecodeNext();
    forecast_.Ready(kPriority, now_ - arrived);
    last_ready_ = now_;
    // All deadlines are equally far, so that the earliest comes first.
    queue_.push_back({.deadline = arrived + load_.deadline,
                      .arrived = arrived,
                      .ready = now_});
  }

  // A free instance asks the policy, as the batcher's thread does.
  void Look(int i) {
    Instance& instance = instances_[i];
    ++instance.look;
    while (true) {
      while (!queue_.empty() && queue_.front().deadline <= now_) Drop();
      const auto count = static_cast<int>(queue_.size());
      const std::vector<ReadyPicture> first(
          queue_.begin(),
          queue_.begin() + std::min(count, profile_.policy.max_batch));
      const Decision decision =
          Decide(now_,
                 {.first = first,
                  .waiting = count,
                  .unchanged_since = std::max(instance.free_since, last_ready_),
                  .gap = forecast_.Gap()},
                 profile_.policy, forecast_.times());
      for (int n = 0; n < decision.give_up; ++n) Drop();
      if (decision.give_up > 0) continue;
      if (decision.dispatch > 0) {
        StartBatch(i, decision.dispatch);
      } else if (decision.wait_until != kForever) {
        At(decision.wait_until,
           {.what = What::kLookAgain, .instance = i, .look = instance.look});
      }
      return;
    }
  }

  void Drop() {
    forecast_.LeftQueue(now_, kPriority);
    queue_.pop_front();
  }

  void StartBatch(int i, int size) {
    Instance& instance = instances_[i];
    instance.busy = true;
    instance.started = now_;
    for (int n = 0; n < size; ++n) {
      forecast_.Taken(kPriority);
      instance.batch.push_back(queue_.front().arrived);
      queue_.pop_front();
    }
    forecast_.Started(now_, i, size);
    // The mean deviation of a normal distribution is 0.8 of its standard one.
    const double factor = 1 + profile_.strays / 0.8 * noise_(random_);
    At(now_ +
           FromSeconds(ToSeconds(truth_.Typical(size)) * std::max(factor, 0.1)),
       {.what = What::kBatchDone, .instance = i});
  }

  void FinishBatch(int i) {
    Instance& instance = instances_[i];
    const auto size = static_cast<int>(instance.batch.size());
    ++batches_;
    pictures_ += size;
    busy_ += now_ - instance.started;
    for (const TimePoint arrived : instance.batch) {
      const Duration took = now_ - arrived + profile_.transport;
      if (took <= load_.deadline) latency_.Record(took);
    }
    forecast_.times().Observe(size, now_ - instance.started);
    forecast_.Finished(now_, i, size);
    instance.batch.clear();
    instance.busy = false;
    instance.free_since = now_;
  }

  SimulatedResult Result(double seconds) {
    SimulatedResult result;
    result.lost = load_.calls - latency_.count();
    if (latency_.count() == 0 || seconds <= 0) return result;
    result.latency = latency_;
    result.answered_per_s = static_cast<double>(latency_.count()) / seconds;
    result.batch_size = static_cast<double>(pictures_) / batches_;
    result.busy = ToSeconds(busy_) / seconds / profile_.instances;
    return result;
  }

  const Profile profile_;
  const SimulatedLoad load_;
  std::mt19937_64 random_;
  std::normal_distribution<double> noise_;

  const TimePoint start_{std::chrono::hours(1)};
  TimePoint now_ = start_;
  Arrivals arrivals_;
  int64_t sequence_ = 0;
  std::priority_queue<std::tuple<TimePoint, int64_t, Event>,
                      std::vector<std::tuple<TimePoint, int64_t, Event>>, Later>
      events_;

  Forecast forecast_;   // what the server believes
  ServiceTimes truth_;  // what batches really take, on average
  std::deque<TimePoint> to_decode_;
  int decoding_ = 0;
  std::deque<ReadyPicture> queue_;
  TimePoint last_ready_;
  std::vector<Instance> instances_;

  int arrived_ = 0;
  int64_t batches_ = 0;
  int64_t pictures_ = 0;
  Duration busy_ = {};
  Histogram latency_;
};

}  // namespace

SimulatedResult Simulate(const Profile& profile, const SimulatedLoad& load) {
  return Simulation(profile, load).Run();
}

}  // namespace groupmamba::client
