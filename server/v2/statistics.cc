#include "server/v2/statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>

namespace groupmamba::v2 {
namespace {

constexpr int kVersionsKept = 8;  // of a name

uint64_t MillisecondsSince1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

Statistics::Key Statistics::KeyOf(const ModelView& view) {
  const ModelFolder& folder = view.model->folder();
  return {folder.name, view.kind, folder.version};
}

Statistics::Counts& Statistics::CountsOf(const ModelView& view) {
  const Key key = KeyOf(view);
  if (const auto found = counts_.find(key); found != counts_.end()) {
    return found->second;
  }
  const auto first = counts_.lower_bound({key.name, key.kind, 0});
  const auto end = counts_.upper_bound({key.name, key.kind, INT64_MAX});
  if (std::distance(first, end) >= kVersionsKept) counts_.erase(first);
  return counts_[key];
}

void Statistics::Sum::Fill(inference::StatisticDuration* response) const {
  response->set_count(count);
  response->set_ns(time.count());
}

void Statistics::Succeeded(const ModelView& view,
                           absl::Span<const Answer> answers,
                           const Receipt& last, Duration total) {
  double batches = 0;
  for (const Answer& answer : answers) {
    batches += 1.0 / std::max(1, answer.receipt.batch_size);
  }
  const Duration known = last.decode + last.queue + last.inference;
  MutexLock lock(&mutex_);
  Counts& counts = CountsOf(view);
  counts.success.Add(total);
  counts.queue.Add(last.queue);
  counts.input.Add(last.decode);
  counts.infer.Add(last.inference);
  counts.output.Add(std::max(total - known, Duration(0)));
  counts.pictures += answers.size();
  counts.batches += batches;
  counts.last_success_ms = MillisecondsSince1970();
}

void Statistics::Failed(const ModelView& view, Duration total) {
  MutexLock lock(&mutex_);
  CountsOf(view).fail.Add(total);
}

void Statistics::Fill(const ModelView& view,
                      inference::ModelStatistics* response) const {
  response->set_name(view.name());
  response->set_version(view.version());
  Counts counts;
  {
    MutexLock lock(&mutex_);
    const auto found = counts_.find(KeyOf(view));
    if (found != counts_.end()) counts = found->second;
  }
  response->set_last_inference(counts.last_success_ms);
  response->set_inference_count(counts.pictures);
  response->set_execution_count(std::llround(counts.batches));
  inference::InferStatistics* sums = response->mutable_inference_stats();
  counts.success.Fill(sums->mutable_success());
  counts.fail.Fill(sums->mutable_fail());
  counts.queue.Fill(sums->mutable_queue());
  counts.input.Fill(sums->mutable_compute_input());
  counts.infer.Fill(sums->mutable_compute_infer());
  counts.output.Fill(sums->mutable_compute_output());
}

}  // namespace groupmamba::v2
