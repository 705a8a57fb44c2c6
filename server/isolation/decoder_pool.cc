#include "server/isolation/decoder_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/picture.h"

namespace groupmamba {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(10);
constexpr Duration kLongestPause = std::chrono::seconds(1);

// After that many failures in a row.
Duration PauseAfter(int failures) {
  if (failures < 2) return Duration::zero();
  const int doublings = std::min(failures - 2, 10);
  return std::min(kFirstPause * (1 << doublings), kLongestPause);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderPool>> DecoderPool::Start(
    const DecoderOptions& options, int count, Clock* clock) {
  std::unique_ptr<DecoderPool> pool(new DecoderPool(options, clock));
  std::vector<Place> places(static_cast<size_t>(count));
  for (Place& place : places) {
    GM_ASSIGN_OR_RETURN(place.process, DecoderProcess::Start(options));
  }
  MutexLock lock(&pool->mutex_);
  pool->places_ = std::move(places);
  return pool;
}

absl::Status DecoderPool::Prepare(const Picture& picture,
                                  const TransformSpec& spec,
                                  absl::Span<uint8_t> out) {
  if (picture.kind == Picture::Kind::kModelInput || IsReady(picture, spec)) {
    return PreparePicture(picture, options_.limits, 0, spec, out);
  }
  Place* const place = Take();
  // One that died while it had nothing to do is nobody's crash.
  if (place->process != nullptr && !place->process->Waits()) {
    place->process = nullptr;
  }
  absl::Status status;
  if (place->process == nullptr) status = Restart(place);
  if (status.ok()) status = place->process->Prepare(picture, spec, out);
  if (place->process != nullptr && place->process->broken()) {
    place->process = nullptr;
  }
  Return(place);
  return status;
}

DecoderPool::Place* DecoderPool::Take() {
  MutexLock lock(&mutex_);
  while (true) {
    const TimePoint now = clock_->Now();
    if (Place* place = Usable(now)) {
      place->taken = true;
      return place;
    }
    TimePoint wake = kForever;
    for (const Place& place : places_) {
      if (!place.taken) wake = std::min(wake, place.not_before);
    }
    clock_->WaitUntil(&changed_, &mutex_, wake);
  }
}

// The first free one that lives, else one that may be restarted; null: none.
DecoderPool::Place* DecoderPool::Usable(TimePoint now) {
  Place* found = nullptr;
  for (Place& place : places_) {
    if (place.taken) continue;
    if (place.process != nullptr) return &place;
    if (place.not_before <= now && found == nullptr) found = &place;
  }
  return found;
}

absl::Status DecoderPool::Restart(Place* place) {
  auto started = DecoderProcess::Start(options_);
  if (!started.ok()) {
    Log(LogLevel::kError, "a decoder process cannot be started",
        {{"reason", std::string(started.status().message())}});
    return Error(Reason::kDecoderCrash);
  }
  place->process = *std::move(started);
  MutexLock lock(&mutex_);
  ++restarts_;
  return absl::OkStatus();
}

void DecoderPool::Return(Place* place) {
  MutexLock lock(&mutex_);
  if (place->process != nullptr) {
    place->failures = 0;
  } else {
    ++place->failures;
    place->not_before = clock_->Now() + PauseAfter(place->failures);
  }
  place->taken = false;
  changed_.NotifyOne();
}

int64_t DecoderPool::restarts() const {
  MutexLock lock(&mutex_);
  return restarts_;
}

std::vector<pid_t> DecoderPool::idle_pids() const {
  MutexLock lock(&mutex_);
  std::vector<pid_t> pids;
  for (const Place& place : places_) {
    if (!place.taken && place.process != nullptr) {
      pids.push_back(place.process->pid());
    }
  }
  return pids;
}

}  // namespace groupmamba
