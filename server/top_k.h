// Logits -> the most probable classes.

#ifndef GROUPMAMBA_SERVER_TOP_K_H_
#define GROUPMAMBA_SERVER_TOP_K_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

struct ScoredClass {
  int index = 0;
  float probability = 0;  // softmax over all logits
};

// The `k` most probable, most probable first, ties in the order of the index;
// all of them when k is larger. k and logits.size() are at least 1. Errors:
// INTERNAL (kBadOutput) when a logit is not finite.
absl::StatusOr<std::vector<ScoredClass>> TopK(absl::Span<const float> logits,
                                              int k);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TOP_K_H_
