// How long a batch of each size keeps an instance busy: measured at warm-up,
// learned while serving.

#ifndef GROUPMAMBA_SERVER_BATCHING_SERVICE_TIMES_H_
#define GROUPMAMBA_SERVER_BATCHING_SERVICE_TIMES_H_

#include <vector>

#include "base/clock.h"

namespace groupmamba {

// A measurement moves the estimate of its own size by a quarter of the relative
// error and the others' by a tenth, since a machine that gets slower gets
// slower at every size. The error counts as 20 % at most: one hiccup, however
// long, moves an estimate by 5 %, and a lasting change is followed within some
// fifteen batches.
//
// Sizes are 1 to max_batch. Not thread-safe.
class ServiceTimes {
 public:
  // Until Seed is called, every batch takes no time.
  explicit ServiceTimes(int max_batch);

  int max_batch() const { return static_cast<int>(seconds_.size()); }

  // What warming up measured; sizes in rising order, the first is 1. Sizes
  // between two seeds lie on the line between them, those above the last on the
  // ray through it.
  void Seed(int size, Duration time);

  // What serving measured.
  void Observe(int size, Duration time);

  Duration Typical(int size) const;

  // What a time has to be multiplied with so that it is rarely exceeded; from
  // 1.1 to 1.5, by how much the measurements stray.
  double caution() const;

  // The smallest size, at most `available`, that gives the throughput of the
  // best to within 2 %: more would make its pictures wait for each other and
  // gain nothing. `available` is at least 1. A size that was not measured for a
  // thousand batches counts as up to 10 % better than it was, so that it is
  // tried again.
  int BestSize(int available) const;

 private:
  std::vector<double> seconds_;  // by size, from 1
  std::vector<int> unseen_;      // by size: batches since it was measured
  int seeded_ = 0;               // the last seed's size
  double strays_ = 0;            // mean relative error, of late
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_SERVICE_TIMES_H_
