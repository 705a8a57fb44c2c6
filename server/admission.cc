#include "server/admission.h"

namespace groupmamba {

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    Leave();
    gate_ = std::exchange(other.gate_, nullptr);
    bytes_ = other.bytes_;
    waiting_ = other.waiting_;
  }
  return *this;
}

void Ticket::LeaveQueue() {
  if (gate_ == nullptr || !waiting_) return;
  waiting_ = false;
  gate_->LeaveQueue();
}

void Ticket::Leave() {
  if (gate_ == nullptr) return;
  LeaveQueue();
  std::exchange(gate_, nullptr)->Leave(bytes_);
}

std::variant<Ticket, Reason> Admission::Enter(int64_t bytes) {
  MutexLock lock(&mutex_);
  if (closed_) return Reason::kDraining;
  if (usage_.waiting >= limits_.max_waiting) return Reason::kQueueFull;
  if (bytes > limits_.max_bytes - usage_.bytes) return Reason::kBytesFull;
  ++usage_.waiting;
  ++usage_.in_flight;
  usage_.bytes += bytes;
  return Ticket(this, bytes);
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

void Admission::LeaveQueue() {
  MutexLock lock(&mutex_);
  --usage_.waiting;
}

void Admission::Leave(int64_t bytes) {
  MutexLock lock(&mutex_);
  --usage_.in_flight;
  usage_.bytes -= bytes;
  if (usage_.in_flight == 0) changed_.NotifyAll();
}

}  // namespace groupmamba
