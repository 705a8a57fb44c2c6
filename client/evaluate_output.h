// What `evaluate` prints. Pure functions.

#ifndef GROUPMAMBA_CLIENT_EVALUATE_OUTPUT_H_
#define GROUPMAMBA_CLIENT_EVALUATE_OUTPUT_H_

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "client/evaluation.h"

namespace groupmamba::client {

// One line: {"images", "top1", "top5", "per_class": {LABEL: {"images", "top1",
// "top5"}}, "confusion": {LABEL: {PREDICTED: images}}, "failed", "failures":
// {CODE: images}, "seconds", "images_per_s"}. The accuracies are fractions of
// "images", the pictures that were answered; labels without pictures and cells
// of zero are left out.
std::string EvaluateJson(const Evaluation& evaluation, Duration elapsed);

// The same for people: accuracies, each class (of many, the ten worst), the
// confusion matrix (of at most 20 classes) and the most frequent confusions.
std::string EvaluateText(const Evaluation& evaluation, Duration elapsed);

// The line that a terminal shows while the work runs.
std::string ProgressText(int64_t done, int64_t total, Duration elapsed);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_EVALUATE_OUTPUT_H_
