#include "server/batching/slot_pool.h"

#include <utility>

namespace groupmamba {
namespace {

PictureMemory OrdinaryMemory(size_t bytes) {
  return PictureMemory(new uint8_t[bytes],
                       [](uint8_t* memory) { delete[] memory; });
}

}  // namespace

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

SlotPool::SlotPool(size_t slot_bytes, int max_slots, Allocate allocate)
    : slot_bytes_(slot_bytes),
      max_slots_(max_slots),
      allocate_(allocate ? std::move(allocate) : OrdinaryMemory) {}

Slot SlotPool::Acquire() {
  MutexLock lock(&mutex_);
  if (in_use_ == max_slots_) return Slot();
  ++in_use_;
  if (free_.empty()) return Slot(this, allocate_(slot_bytes_));
  PictureMemory memory = std::move(free_.back());
  free_.pop_back();
  return Slot(this, std::move(memory));
}

int SlotPool::in_use() const {
  MutexLock lock(&mutex_);
  return in_use_;
}

void SlotPool::Return(PictureMemory memory) {
  MutexLock lock(&mutex_);
  --in_use_;
  free_.push_back(std::move(memory));
}

}  // namespace groupmamba
