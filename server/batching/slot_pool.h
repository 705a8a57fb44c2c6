// Memory for decoded pictures. A picture is decoded into a slot and stays there
// until its reply; a batch is a list of pointers to slots, so nothing is copied
// together.

#ifndef GROUPMAMBA_SERVER_BATCHING_SLOT_POOL_H_
#define GROUPMAMBA_SERVER_BATCHING_SLOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/mutex.h"
#include "model/engine.h"

namespace groupmamba {

class SlotPool;

// The right to one slot; gives it back when destroyed. Movable. The pool must
// outlive it.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept { *this = std::move(other); }
  Slot& operator=(Slot&& other) noexcept;
  ~Slot() { Release(); }

  // False: an empty hand, and bytes() is empty.
  explicit operator bool() const { return pool_ != nullptr; }

  absl::Span<uint8_t> bytes() const;

 private:
  friend class SlotPool;
  Slot(SlotPool* pool, PictureMemory memory)
      : pool_(pool), memory_(std::move(memory)) {}
  void Release();

  SlotPool* pool_ = nullptr;
  PictureMemory memory_{nullptr, nullptr};
};

// Slots of one size. Memory is allocated when it is first needed and kept.
// Thread-safe.
class SlotPool {
 public:
  // Memory that the engine reads pictures from (model/engine.h).
  using Allocate = std::function<PictureMemory(size_t bytes)>;

  // `slot_bytes`: size of every slot. `max_slots`: how many may be out at once.
  // `allocate`: null, ordinary memory.
  SlotPool(size_t slot_bytes, int max_slots, Allocate allocate = nullptr);

  // Never blocks; an empty Slot when all are out. The bytes are not cleared.
  Slot Acquire();

  // How many slots are out.
  int in_use() const;

 private:
  friend class Slot;
  void Return(PictureMemory memory);

  const size_t slot_bytes_;
  const int max_slots_;
  const Allocate allocate_;

  mutable Mutex mutex_;
  int in_use_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<PictureMemory> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_BATCHING_SLOT_POOL_H_
