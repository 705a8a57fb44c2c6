#include "model/cpu/worker_pool.h"

#include <cassert>

namespace groupmamba::cpu {
namespace {

// How often a thread looks for work before it sleeps, about 20 us: longer than
// the caller needs between two calls within a layer, far shorter than a time
// slice.
constexpr int kLooks = 1000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

WorkerPool::WorkerPool(int size) {
  for (int worker = 1; worker < size; ++worker) {
    threads_.emplace_back([this, worker] { Work(worker); });
  }
}

WorkerPool::~WorkerPool() {
  stopping_ = true;
  ticket_ += uint64_t{1} << 32;  // a call without pieces, to be seen
  ticket_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::For(int64_t count, Body body) {
  assert(count <= kMaxPieces);
  if (count <= 0) return;
  if (count == 1 || threads_.empty()) {
    for (int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  body_ = &body;
  done_ = 0;
  const uint64_t call = (ticket_ >> 32) + 1;
  ticket_ = call << 32 | static_cast<uint64_t>(count) << 16;
  ticket_.notify_all();
  while (RunOne(0)) {
  }
  // Only pieces that others have begun are left.
  for (int look = 0; done_ != count; ++look) {
    if (look < kLooks) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

bool WorkerPool::RunOne(int worker) {
  uint64_t ticket = ticket_;
  do {
    if (NextOf(ticket) >= CountOf(ticket)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket + 1));
  // The call cannot end before this piece has, so its body is still there.
  (*body_)(static_cast<int64_t>(NextOf(ticket)), worker);
  ++done_;
  return true;
}

void WorkerPool::Work(int worker) {
  while (!stopping_) {
    uint64_t seen = ticket_;
    while (RunOne(worker)) seen = ticket_;
    for (int look = 0; look < kLooks && ticket_ == seen; ++look) Pause();
    if (!stopping_) ticket_.wait(seen);
  }
}

}  // namespace groupmamba::cpu
