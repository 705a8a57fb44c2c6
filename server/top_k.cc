#include "server/top_k.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/status_map.h"

namespace groupmamba {

absl::StatusOr<std::vector<ScoredClass>> TopK(absl::Span<const float> logits,
                                              int k) {
  const bool finite = std::all_of(logits.begin(), logits.end(),
                                  [](float x) { return std::isfinite(x); });
  if (!finite) return Error(Reason::kBadOutput);

  // exp(x - max) cannot overflow, and the sum is at least 1.
  const float max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x) - max);

  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t count = std::min<size_t>(k, logits.size());
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int a, int b) {
                      if (logits[a] != logits[b]) return logits[a] > logits[b];
                      return a < b;
                    });

  std::vector<ScoredClass> top;
  for (size_t i = 0; i < count; ++i) {
    const double p =
        std::exp(static_cast<double>(logits[order[i]]) - max) / sum;
    top.push_back({order[i], static_cast<float>(p)});
  }
  return top;
}

}  // namespace groupmamba
