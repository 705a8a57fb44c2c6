#include "server/admission.h"

namespace groupmamba {
namespace {

// How much more than what is free one client may have.
constexpr int kShare = 4;

}  // namespace

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Leave();
    gate_ = std::exchange(other.gate_, nullptr);
    bytes_ = other.bytes_;
    client_ = other.client_;
    waiting_ = other.waiting_;
  }
  return *this;
}

void Ticket::LeaveQueue() {
  if (gate_ == nullptr || !waiting_) return;
  waiting_ = false;
  gate_->LeaveQueue(client_);
}

void Ticket::Leave() {
  if (gate_ == nullptr) return;
  LeaveQueue();
  std::exchange(gate_, nullptr)->Leave(bytes_);
}

std::variant<Ticket, Reason> Admission::Enter(const Applicant& applicant) {
  MutexLock lock(&mutex_);
  if (closed_) return Reason::kDraining;
  if (usage_.waiting >= limits_.max_waiting) return Reason::kQueueFull;
  if (applicant.bytes > limits_.max_bytes - usage_.bytes) {
    return Reason::kBytesFull;
  }
  if (applicant.predicted > applicant.time_left) return Reason::kLate;
  if (const std::optional<Reason> short_of = OverShare(applicant)) {
    // To one who is alone there are no others.
    return waiting_of_.size() > 1 ? Reason::kOverShare : *short_of;
  }
  ++usage_.waiting;
  ++usage_.in_flight;
  usage_.bytes += applicant.bytes;
  ++waiting_of_[applicant.client];
  return Ticket(this, applicant.bytes, applicant.client);
}

std::optional<Reason> Admission::OverShare(const Applicant& applicant) const {
  const auto found = waiting_of_.find(applicant.client);
  if (found == waiting_of_.end()) return std::nullopt;
  const int own = found->second;
  if (own >= kShare * (limits_.max_waiting - usage_.waiting)) {
    return Reason::kQueueFull;
  }
  // As seconds, since the time left may be without end.
  const double free_s =
      ToSeconds(applicant.time_left) - ToSeconds(applicant.predicted);
  if (own * ToSeconds(applicant.per_picture) > kShare * free_s) {
    return Reason::kLate;
  }
  return std::nullopt;
}

void Admission::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
}

bool Admission::AwaitEmpty(Clock* clock, TimePoint until) {
  MutexLock lock(&mutex_);
  while (usage_.in_flight > 0 && clock->Now() < until) {
    clock->WaitUntil(&changed_, &mutex_, until);
  }
  return usage_.in_flight == 0;
}

Admission::Usage Admission::usage() const {
  MutexLock lock(&mutex_);
  return usage_;
}

void Admission::LeaveQueue(uint64_t client) {
  MutexLock lock(&mutex_);
  --usage_.waiting;
  const auto own = waiting_of_.find(client);
  if (--own->second == 0) waiting_of_.erase(own);
}

void Admission::Leave(int64_t bytes) {
  MutexLock lock(&mutex_);
  --usage_.in_flight;
  usage_.bytes -= bytes;
  if (usage_.in_flight == 0) changed_.NotifyAll();
}

}  // namespace groupmamba
