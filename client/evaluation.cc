#include "client/evaluation.h"

#include <algorithm>

namespace groupmamba::client {

void Evaluation::Add(int truth, absl::Span<const int> predicted) {
  const absl::Span<const int> first_five = predicted.subspan(0, 5);
  const bool top1 = !predicted.empty() && predicted.front() == truth;
  const bool top5 = std::count(first_five.begin(), first_five.end(), truth) > 0;
  for (Score* score : {&total_, &per_class_[truth]}) {
    ++score->images;
    score->top1_hits += top1;
    score->top5_hits += top5;
  }
  if (!predicted.empty() && predicted.front() >= 0 &&
      predicted.front() < static_cast<int>(labels_.size())) {
    ++confusion_[{truth, predicted.front()}];
  }
}

void Evaluation::AddFailure(const absl::Status& status) {
  ++failed_;
  auto& [count, message] = failures_[status.code()];
  if (++count == 1) message = std::string(status.message());
}

int64_t Evaluation::Count(int truth, int predicted) const {
  const auto found = confusion_.find({truth, predicted});
  return found == confusion_.end() ? 0 : found->second;
}

std::vector<Confusion> Evaluation::Cells() const {
  std::vector<Confusion> cells;
  for (const auto& [key, images] : confusion_) {
    cells.push_back({key.first, key.second, images});
  }
  return cells;
}

std::vector<Confusion> Evaluation::TopConfusions(size_t count) const {
  std::vector<Confusion> wrong;
  for (const Confusion& cell : Cells()) {
    if (cell.truth != cell.predicted) wrong.push_back(cell);
  }
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const Confusion& a, const Confusion& b) {
                     return a.images > b.images;
                   });
  wrong.resize(std::min(wrong.size(), count));
  return wrong;
}

}  // namespace groupmamba::client
