#include "client/load/arrivals.h"

#include <cmath>

namespace groupmamba::client {

Duration Arrivals::Next() {
  double due = 0;
  if (kind_ == ArrivalKind::kConstant) {
    // Not a sum of gaps, whose rounding would add up.
    due = static_cast<double>(++count_) / rate_;
  } else {
    // The inverse of the distribution at 53 random bits in [0, 1): the standard
    // library's own exponential_distribution differs between implementations.
    const double uniform =
        std::ldexp(static_cast<double>(random_() >> 11), -53);
    seconds_ += -std::log1p(-uniform) / rate_;
    due = seconds_;
  }
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(due));
}

}  // namespace groupmamba::client
