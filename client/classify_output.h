// What `classify` prints. Pure functions from answers to text.

#ifndef GROUPMAMBA_CLIENT_CLASSIFY_OUTPUT_H_
#define GROUPMAMBA_CLIENT_CLASSIFY_OUTPUT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::client {

// One line: {"path", "model", "version", "predictions": [{"label", "index",
// "probability"}], "timing_ms": {"decode", "queue", "batch_wait", "inference",
// "total", "batch_size", "round_trip"}}. The times are the server's, but for
// round_trip, which is the client's.
std::string ClassifyJsonLine(const std::string& path,
                             const v1::ClassifyResponse& response,
                             Duration round_trip);

// One line: {"path", "error": {"code", "message"}}.
std::string ClassifyJsonError(const std::string& path,
                              const absl::Status& status);

// One row a prediction: path (in the first row alone), probability, a bar where
// `bars`, label. The label comes last, so that rows align before all are known.
std::string ClassifyRows(const std::string& path, int path_width,
                         const v1::ClassifyResponse& response, bool bars);

// What a run of `classify` took.
class ClassifySummary {
 public:
  void Add(const v1::ClassifyResponse& response, Duration round_trip);
  void AddFailure() { ++failed_; }

  int failed() const { return failed_; }

  // A few lines: how many and how fast, percentiles of the round trip, means of
  // the server's stages. `elapsed` is the whole run.
  std::string Format(Duration elapsed) const;

 private:
  int failed_ = 0;
  std::vector<double> round_trips_ms_;
  v1::Timing sum_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_CLASSIFY_OUTPUT_H_
