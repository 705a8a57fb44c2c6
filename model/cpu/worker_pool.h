// Threads that share out the pieces of one computation, for an engine that has
// the processor to itself only now and then.
//
// A piece is claimed when a thread is there to do it. So a thread that the
// system has put aside delays nothing but a piece that it has begun; the caller
// works too, and does all of it where nobody helps. (A barrier that waits for
// every thread, as OpenMP's does, waits whole time slices once anything else
// runs on a core.)

#ifndef GROUPMAMBA_MODEL_CPU_WORKER_POOL_H_
#define GROUPMAMBA_MODEL_CPU_WORKER_POOL_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace groupmamba::cpu {

// Thread-safety: one caller at a time.
class WorkerPool {
 public:
  // What to do with piece `index`; `worker`, from 0 to size() - 1, is a
  // different one for each thread that works at the time. Must not throw.
  using Body = absl::FunctionRef<void(int64_t index, int worker)>;

  // `size` threads, the caller included; at least 1.
  explicit WorkerPool(int size);
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Runs body(0 .. count - 1), in no order, and returns when all have ended.
  // The caller is worker 0. count: 0 to kMaxPieces. Allocates nothing.
  void For(int64_t count, Body body);

  static constexpr int64_t kMaxPieces = 0xffff;

 private:
  // The state of the current call in one word, so that a piece is claimed and
  // known to be of this call at once: the call's number in the upper 32 bits,
  // then the count of pieces, then the next piece's index, 16 bits each.
  static uint64_t CountOf(uint64_t ticket) { return ticket >> 16 & 0xffff; }
  static uint64_t NextOf(uint64_t ticket) { return ticket & 0xffff; }

  void Work(int worker);
  // Claims one piece and does it; false where none is left.
  bool RunOne(int worker);

  std::atomic<uint64_t> ticket_ = 0;
  std::atomic<int64_t> done_ = 0;  // pieces of the current call
  std::atomic<bool> stopping_ = false;
  const Body* body_ = nullptr;  // read by whoever holds a piece
  std::vector<std::thread> threads_;
};

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_WORKER_POOL_H_
