// How well predictions match the labels: counts, nothing that waits or prints.

#ifndef GROUPMAMBA_CLIENT_EVALUATION_H_
#define GROUPMAMBA_CLIENT_EVALUATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace groupmamba::client {

// How many of a set of pictures had their label first, and among the first
// five.
struct Score {
  int64_t images = 0;
  int64_t top1_hits = 0;
  int64_t top5_hits = 0;

  // Fractions of `images`; 0 when there are none.
  double top1() const { return Fraction(top1_hits); }
  double top5() const { return Fraction(top5_hits); }

 private:
  double Fraction(int64_t hits) const {
    return images == 0 ? 0 : static_cast<double>(hits) / images;
  }
};

// Pictures of label `truth` that were taken for `predicted`.
struct Confusion {
  int truth;
  int predicted;
  int64_t images;
};

// Not thread-safe.
class Evaluation {
 public:
  explicit Evaluation(std::vector<std::string> labels)
      : labels_(std::move(labels)), per_class_(labels_.size()) {}

  // An answer for a picture of label `truth`: the indices that were predicted,
  // most probable first. An index that the model does not have never matches.
  void Add(int truth, absl::Span<const int> predicted);

  // A picture without an answer: counted, but in no fraction.
  void AddFailure(const absl::Status& status);

  const std::vector<std::string>& labels() const { return labels_; }
  const Score& total() const { return total_; }
  const std::vector<Score>& per_class() const { return per_class_; }

  int64_t failed() const { return failed_; }

  // How often each code, and the first message that came with it.
  const std::map<absl::StatusCode, std::pair<int64_t, std::string>>& failures()
      const {
    return failures_;
  }

  // Pictures of label `truth` whose first prediction was `predicted`.
  int64_t Count(int truth, int predicted) const;

  // What is counted at all, right answers too, in the order of the labels.
  std::vector<Confusion> Cells() const;

  // Wrong answers only, most frequent first, at most `count`.
  std::vector<Confusion> TopConfusions(size_t count) const;

 private:
  const std::vector<std::string> labels_;
  Score total_;
  std::vector<Score> per_class_;
  std::map<std::pair<int, int>, int64_t> confusion_;  // truth, predicted
  int64_t failed_ = 0;
  std::map<absl::StatusCode, std::pair<int64_t, std::string>> failures_;
};

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_EVALUATION_H_
