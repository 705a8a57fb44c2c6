#include "server/open_streams.h"

#include <utility>
#include <vector>

namespace groupmamba {

bool OpenStreams::Add(OpenStream* stream) {
  MutexLock lock(&mutex_);
  streams_.insert(stream);
  return !ended_;
}

void OpenStreams::Remove(OpenStream* stream) {
  MutexLock lock(&mutex_);
  streams_.erase(stream);
  if (streams_.empty()) none_.NotifyAll();
}

void OpenStreams::EndAll() {
  std::vector<std::function<void()>> claimed;
  {
    MutexLock lock(&mutex_);
    ended_ = true;
    for (OpenStream* stream : streams_) {
      if (auto run = stream->ClaimEnd()) claimed.push_back(std::move(run));
    }
  }
  for (const auto& run : claimed) run();
}

void OpenStreams::AwaitNone(TimePoint until) {
  MutexLock lock(&mutex_);
  while (!streams_.empty() && clock_->Now() < until) {
    clock_->WaitUntil(&none_, &mutex_, until);
  }
}

}  // namespace groupmamba
