#include "client/load/histogram.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace groupmamba::client {
namespace {

// A value is kept as its upper 11 bits and the number of bits below them. The
// first of the 11 is always set once there are bits below, so that each
// doubling takes 1,024 buckets after the 2,048 of the values that fit.
constexpr int kKeptBits = 11;
constexpr int64_t kHalf = int64_t{1} << (kKeptBits - 1);
constexpr int64_t kHighestUs =
    std::chrono::duration_cast<std::chrono::microseconds>(Histogram::kHighest)
        .count();

int BitsBelow(int64_t value) {
  return std::max(
      0, static_cast<int>(std::bit_width(static_cast<uint64_t>(value))) -
             kKeptBits);
}

size_t BucketOf(int64_t value) {
  const int shift = BitsBelow(value);
  return static_cast<size_t>(shift * kHalf + (value >> shift));
}

// The highest value of a bucket.
int64_t HighestOf(size_t bucket) {
  const auto index = static_cast<int64_t>(bucket);
  const int64_t shift = std::max<int64_t>(0, index / kHalf - 1);
  const int64_t kept = index - shift * kHalf;
  return ((kept + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(BucketOf(kHighestUs) + 1) {}

void Histogram::Record(Duration value) {
  const int64_t us = std::clamp<int64_t>(
      std::chrono::round<std::chrono::microseconds>(value).count(), 0,
      kHighestUs);
  ++buckets_[BucketOf(us)];
  ++count_;
  sum_us_ += us;
  max_us_ = std::max(max_us_, us);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  max_us_ = std::max(max_us_, other.max_us_);
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
      return std::chrono::microseconds(std::min(HighestOf(i), max_us_));
    }
  }
  return max();
}

}  // namespace groupmamba::client
