// What a batcher knows of its load and of its model's speed, and what follows
// from it: when the next picture can be expected, and when a request that comes
// now would have its answer. No threads and no clock, so that the client's
// `plan` replays the same.

#ifndef GROUPMAMBA_SERVER_BATCHING_FORECAST_H_
#define GROUPMAMBA_SERVER_BATCHING_FORECAST_H_

#include <array>
#include <vector>

#include "base/clock.h"
#include "server/batching/queue_key.h"
#include "server/batching/service_times.h"

namespace groupmamba {

// How often a request comes while another is inside. One caller who waits for
// each answer is never company for himself, however fast he calls: then this is
// 0, while independent callers give their rate. Of the last half second or so
// that somebody was inside. Not thread-safe.
class CompanyRate {
 public:
  void Arrive(TimePoint now);
  void Leave(TimePoint now, int count);

  double per_second() const;

 private:
  void Advance(TimePoint now);

  TimePoint last_;
  int inside_ = 0;
  double arrivals_ = 0;
  double seconds_ = 0;
};

// What awaits a request that comes now.
struct Prediction {
  // Until a batch with it can start, and until it is done.
  Duration start = {};
  Duration finish = {};

  // What one request more makes of it.
  Duration per_picture = {};

  // What to multiply these with so that they are rarely exceeded.
  double caution = 1;

  // Nobody is before it: it is computed at once.
  bool idle = true;
};

// Tells of one model's batcher, which tells it what happens. A request arrives,
// and is called off or becomes ready; a ready one leaves the queue or is taken
// into a batch. Not thread-safe.
class Forecast {
 public:
  Forecast(int max_batch, int instances);

  ServiceTimes& times() { return times_; }
  const ServiceTimes& times() const { return times_; }

  void Arrived(TimePoint now, Priority priority);
  void CalledOff(TimePoint now, Priority priority);

  // `preparation`: since it arrived.
  void Ready(Priority priority, Duration preparation);
  void LeftQueue(TimePoint now, Priority priority);
  void Taken(Priority priority);

  // An instance, by number, runs a batch of so many that were taken.
  void Started(TimePoint now, int instance, int size);
  void Finished(TimePoint now, int instance, int size);

  // The mean time until the next picture is ready: some of those that have
  // arrived are on their way, or company has to arrive first. kNever: nobody is
  // expected.
  Duration Gap() const;
  static constexpr Duration kNever = Duration::max();

  // For a request of this priority. Counts everybody of its own and of higher
  // priority as before it. So those who were let in keep their promise: whoever
  // overtakes them by an earlier deadline was promised, when he came, to be
  // done after them. Picture by picture it is a little pessimistic.
  Prediction Predict(TimePoint now, Priority priority) const;

 private:
  struct Counts {
    int coming = 0;
    int waiting = 0;
  };
  Counts& Of(Priority priority) { return counts_[static_cast<int>(priority)]; }

  ServiceTimes times_;
  CompanyRate company_;
  std::array<Counts, kPriorityCount> counts_;
  int coming_ = 0;
  double preparation_s_ = 0;     // mean, of late
  std::vector<TimePoint> free_;  // by instance: when it should be
  std::vector<bool> busy_;       // by instance
  int best_size_ = 1;            // of a queue that is long enough
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_FORECAST_H_
