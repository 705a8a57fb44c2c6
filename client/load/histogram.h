// Times between a microsecond and a minute, kept to three significant digits in
// constant memory: the bucket scheme of HdrHistogram (hdrhistogram.org).

#ifndef GROUPMAMBA_CLIENT_LOAD_HISTOGRAM_H_
#define GROUPMAMBA_CLIENT_LOAD_HISTOGRAM_H_

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace groupmamba::client {

// Values are whole microseconds. Below 2^`bits` us each has a bucket of its
// own; above, buckets double in width each time the value doubles, so that a
// bucket is never wider than 2 / 2^`bits` of its values. Memory grows with the
// highest value: at most 139 KB with 11 bits, 22 KB with 8. Not thread-safe.
class Histogram {
 public:
  static constexpr Duration kHighest = std::chrono::seconds(60);

  // Three significant digits: 0.1 %.
  static constexpr int kFine = 11;
  // For many histograms side by side: 0.8 %.
  static constexpr int kCoarse = 8;

  explicit Histogram(int bits = kFine) : bits_(bits) {}

  // Rounds to whole microseconds. Negative times count as 0, times above
  // kHighest as kHighest.
  void Record(Duration value);

  // Adds what `other`, of as many bits, has recorded.
  void Merge(const Histogram& other);

  int64_t count() const { return count_; }

  // Exact but for the rounding; 0 where nothing was recorded.
  Duration max() const { return std::chrono::microseconds(max_us_); }
  Duration Mean() const;

  // The smallest recorded value that at least `q` (0 to 1) of all do not
  // exceed, at most a bucket's width too high; 0 where nothing was recorded.
  Duration Quantile(double q) const;

  // How many values were at most `value`, to a bucket's width.
  int64_t CountAtMost(Duration value) const;

 private:
  int bits_;
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t sum_us_ = 0;
  int64_t max_us_ = 0;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_LOAD_HISTOGRAM_H_
