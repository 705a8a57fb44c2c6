#include "server/batching/slot_pool.h"

namespace groupmamba {

Slot& Slot::operator=(Slot&& other) noexcept {
  if (this != &other) {
    Release();
    pool_ = std::exchange(other.pool_, nullptr);
    memory_ = std::move(other.memory_);
  }
  return *this;
}

absl::Span<uint8_t> Slot::bytes() const {
  if (pool_ == nullptr) return {};
  return absl::MakeSpan(memory_.get(), pool_->slot_bytes_);
}

void Slot::Release() {
  if (pool_ != nullptr) pool_->Return(std::move(memory_));
  pool_ = nullptr;
}

SlotPool::SlotPool(size_t slot_bytes, int max_slots)
    : slot_bytes_(slot_bytes), max_slots_(max_slots) {}

Slot SlotPool::Acquire() {
  MutexLock lock(&mutex_);
  if (in_use_ == max_slots_) return Slot();
  std::unique_ptr<uint8_t[]> memory;
  if (free_.empty()) {
    memory = std::make_unique<uint8_t[]>(slot_bytes_);
  } else {
    memory = std::move(free_.back());
    free_.pop_back();
  }
  ++in_use_;
  return Slot(this, std::move(memory));
}

int SlotPool::in_use() const {
  MutexLock lock(&mutex_);
  return in_use_;
}

void SlotPool::Return(std::unique_ptr<uint8_t[]> memory) {
  MutexLock lock(&mutex_);
  --in_use_;
  free_.push_back(std::move(memory));
}

}  // namespace groupmamba
