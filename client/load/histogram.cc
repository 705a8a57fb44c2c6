#include "client/load/histogram.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <numeric>

namespace groupmamba::client {
namespace {

constexpr int64_t kHighestUs =
    std::chrono::duration_cast<std::chrono::microseconds>(Histogram::kHighest)
        .count();

int64_t ToMicroseconds(Duration value) {
  return std::clamp<int64_t>(
      std::chrono::round<std::chrono::microseconds>(value).count(), 0,
      kHighestUs);
}

// A value is kept as its upper `bits` bits and the number of bits below them.
// The first of the kept is always set once there are bits below, so that each
// doubling takes half as many buckets as the values that fit.
size_t BucketOf(int64_t value, int bits) {
  const int shift = std::max(
      0, static_cast<int>(std::bit_width(static_cast<uint64_t>(value))) - bits);
  const int64_t half = int64_t{1} << (bits - 1);
  return static_cast<size_t>(shift * half + (value >> shift));
}

// The highest value of a bucket.
int64_t HighestOf(size_t bucket, int bits) {
  const int64_t half = int64_t{1} << (bits - 1);
  const auto index = static_cast<int64_t>(bucket);
  const int64_t shift = std::max<int64_t>(0, index / half - 1);
  const int64_t kept = index - shift * half;
  return ((kept + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(Duration value) {
  const int64_t us = ToMicroseconds(value);
  const size_t bucket = BucketOf(us, bits_);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  sum_us_ += us;
  max_us_ = std::max(max_us_, us);
}

void Histogram::Merge(const Histogram& other) {
  if (buckets_.size() < other.buckets_.size()) {
    buckets_.resize(other.buckets_.size());
  }
  for (size_t i = 0; i < other.buckets_.size(); ++i) {
    buckets_[i] += other.buckets_[i];
  }
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  max_us_ = std::max(max_us_, other.max_us_);
}

int64_t Histogram::CountAtMost(Duration value) const {
  if (value < Duration(0)) return 0;
  const size_t end =
      std::min(buckets_.size(), BucketOf(ToMicroseconds(value), bits_) + 1);
  return std::accumulate(buckets_.begin(), buckets_.begin() + end, int64_t{0});
}

Duration Histogram::Mean() const {
  if (count_ == 0) return Duration(0);
  return std::chrono::nanoseconds(
      std::llround(1000.0 * static_cast<double>(sum_us_) / count_));
}

Duration Histogram::Quantile(double q) const {
  if (count_ == 0) return Duration(0);
  const auto rank = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(q * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      return std::chrono::microseconds(std::min(HighestOf(i, bits_), max_us_));
    }
  }
  return max();
}

}  // namespace groupmamba::client
