// What computing one picture takes: memory, and threads that share the work.

#ifndef GROUPMAMBA_MODEL_CPU_LANE_H_
#define GROUPMAMBA_MODEL_CPU_LANE_H_

#include <cstdint>
#include <memory>
#include <new>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "model/cpu/worker_pool.h"

namespace groupmamba::cpu {

// Floats that are written before they are read. Grows to the largest demand and
// stays there, so that after a first picture nothing is allocated.
class Buffer {
 public:
  // At least `count` floats, aligned to a cache line, contents undefined.
  // Earlier pointers are void where it grows.
  float* Reserve(int64_t count) {
    if (count > capacity_) {
      data_.reset();
      data_.reset(static_cast<float*>(
          ::operator new[](count * sizeof(float), kAlignment)));
      capacity_ = count;
    }
    return data_.get();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* memory) const {
      ::operator delete[](memory, kAlignment);
    }
  };
  std::unique_ptr<float[], Free> data_;
  int64_t capacity_ = 0;
};

// Of one thread: what a piece of work needs while it runs.
struct Scratch {
  Buffer projected;  // SS2D: u beside its gate
  Buffer mixed;      // SS2D: u after the convolution
  Buffer rates;      // SS2D: r, b and c
  Buffer delta;      // SS2D; then the scan's result
  Buffer hidden;     // feed-forward: a slice of hidden values
  Buffer carried;    // feed-forward: of each slice, two rows for the next band
  Buffer activated;  // hidden values after the activation
  Buffer sum;        // feed-forward: its result so far
};

// Of one picture: what layers hand on.
struct Activations {
  Buffer picture;    // padded, the stem's input
  Buffer padded[2];  // between the convolutions
  Buffer tokens;     // x
  Buffer normed;     // its norm
  Buffer mixed;      // the groups' results
  Buffer sums;       // over tokens, by chunk
  Buffer scale;      // of channels
  Buffer hidden;     // feed-forward on several threads
  Buffer token;      // the class token, and its block's
};

// One picture at a time. Thread-safety: one thread at a time.
class Lane {
 public:
  using Body = absl::FunctionRef<void(int64_t index, Scratch& scratch)>;

  // Alone: `worker` does everything, with scratch[worker].
  Lane(int worker, absl::Span<Scratch> scratch, Activations* activations)
      : worker_(worker), scratch_(scratch), activations_(*activations) {}
  // Shared out to the pool; called on its caller's thread.
  Lane(WorkerPool* pool, absl::Span<Scratch> scratch, Activations* activations)
      : pool_(pool), scratch_(scratch), activations_(*activations) {}

  Activations& activations() { return activations_; }
  Scratch& scratch() { return scratch_[worker_]; }
  // How many pieces can run at once.
  int threads() const { return pool_ ? pool_->size() : 1; }

  // body(0 .. count - 1), in no order, each with a scratch of its own while it
  // runs.
  void For(int64_t count, Body body) {
    if (!pool_) {
      for (int64_t i = 0; i < count; ++i) body(i, scratch());
      return;
    }
    pool_->For(count,
               [&](int64_t i, int worker) { body(i, scratch_[worker]); });
  }

 private:
  WorkerPool* const pool_ = nullptr;
  const int worker_ = 0;
  const absl::Span<Scratch> scratch_;
  Activations& activations_;
};

}  // namespace groupmamba::cpu

#endif  // GROUPMAMBA_MODEL_CPU_LANE_H_
