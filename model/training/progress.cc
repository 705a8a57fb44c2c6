#include "model/training/progress.h"

#include <chrono>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace groupmamba::training {
namespace {

constexpr Duration kWindow = std::chrono::seconds(30);
constexpr Duration kTerminalPeriod = std::chrono::milliseconds(500);

}  // namespace

std::string FormatProgress(const ProgressState& state, double images_per_s,
                           double seconds_left) {
  return absl::StrFormat(
      "epoch %d/%d  step %d/%d  loss %.4f  gradient %.3g  %.0f images/s  %.0f "
      "min left",
      state.epoch, state.epochs, state.steps, state.total_steps, state.loss,
      state.gradient_norm, images_per_s, seconds_left / 60);
}

Progress::Progress(const TimeSource* clock, bool terminal, int64_t batch)
    : clock_(clock),
      terminal_(terminal),
      batch_(batch),
      window_start_(clock->Now()),
      last_print_(window_start_) {}

void Progress::Update(const ProgressState& state) {
  const TimePoint now = clock_->Now();
  ++window_steps_;
  const double seconds = ToSeconds(now - window_start_);
  if (seconds > 0 && (images_per_s_ == 0 || now - window_start_ >= kWindow)) {
    images_per_s_ = static_cast<double>(window_steps_ * batch_) / seconds;
  }
  if (now - window_start_ >= kWindow) {
    window_start_ = now;
    window_steps_ = 0;
  }
  if (now - last_print_ < (terminal_ ? kTerminalPeriod : kWindow)) {
    return;
  }
  last_print_ = now;
  const double left =
      images_per_s_ > 0
          ? static_cast<double>((state.total_steps - state.steps) * batch_) /
                images_per_s_
          : 0;
  const std::string line = FormatProgress(state, images_per_s_, left);
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

void Progress::Note(absl::string_view line) {
  std::fprintf(stderr, "%s%.*s\n", terminal_ ? "\r\033[K" : "",
               static_cast<int>(line.size()), line.data());
  window_start_ = clock_->Now();
  window_steps_ = 0;
}

}  // namespace groupmamba::training
