#include "client/load/live_line.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace groupmamba::client {

std::string LiveLine(const LoadSnapshot& snapshot, Duration duration) {
  const Duration left = std::max(Duration(0), duration - snapshot.elapsed);
  const auto ms = [&snapshot](double quantile) {
    if (snapshot.latency.count() == 0) return std::string("-");
    return Significant(ToMilliseconds(snapshot.latency.Quantile(quantile)));
  };
  std::string line = absl::StrCat(
      FormatSeconds(ToSeconds(left)), " left  ", Significant(snapshot.ok_per_s),
      " OK/s  ", WithThousands(snapshot.in_flight), " in flight  p50 ", ms(0.5),
      "  p99 ", ms(0.99), " ms");
  if (snapshot.failed + snapshot.dropped > 0) {
    absl::StrAppend(&line, "  ", WithThousands(snapshot.failed), " failed, ",
                    WithThousands(snapshot.dropped), " dropped");
  }
  return line.substr(0, 79);
}

}  // namespace groupmamba::client
