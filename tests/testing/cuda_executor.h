// Runs the bodies of CUDA kernels (kernels/cuda/context.h) on the CPU: one
// fibre a thread, one block after another, with everything checked that a GPU
// would leave undefined:
//
// - shared memory is exactly as long as asked for and begins as NaN; reading
//   what nobody wrote, an access out of bounds or off its alignment, and a race
//   (two threads at one word without a barrier between them, one of them
//   writing) fail the launch;
// - global memory is the registered buffers alone: bounds, alignment, inputs
//   are not written, each byte of an output at most once;
// - barriers and shuffles that not all threads reach fail it; so does waiting
//   for a value that no earlier block published.
//
// What it cannot show: the memory model between blocks that run at once, and
// speed.
//
// Thread-safety: one thread.
#ifndef GROUPMAMBA_TESTS_TESTING_CUDA_EXECUTOR_H_
#define GROUPMAMBA_TESTS_TESTING_CUDA_EXECUTOR_H_

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/context.h"
#include "tests/testing/fibre.h"

namespace groupmamba::testing {

// The order in which blocks, and a block's threads between barriers, run.
// kWarps: forward, but a warp goes as far as it can before the next one.
enum class Order { kForward, kReverse, kShuffled, kWarps };

struct ExecutorOptions {
  Order order = Order::kForward;
  // The barrier of this id does nothing. -1: all work.
  int removed_barrier = -1;
  // Checks shared memory for races. Without, the order decides who wins.
  bool detect_races = true;
  // The approximate units err by as much as the hardware's may.
  bool worst_units = false;
};

struct LaunchShape {
  int blocks = 1;
  int threads = 32;
  int shared_bytes = 0;
};

// Traffic of one buffer. Loads are counted in sectors of 32 bytes, the unit of
// a GPU's caches: those that a block touches again are taken to lie in its L1.
struct Traffic {
  int64_t loaded_by_blocks = 0;  // each block's distinct sectors, in bytes
  int64_t loaded_distinct = 0;   // the launch's distinct sectors, in bytes
  int64_t stored = 0;            // bytes; of scratch, taken as well as put
  int64_t narrow = 0;            // accesses of less than 64 bits
};

class CudaExecutor;

// The context that a body is handed. Copies are cheap.
class ExecutorContext {
 public:
  ExecutorContext(CudaExecutor* executor, int thread)
      : executor_(executor), thread_(thread) {}

  int Thread() const { return thread_; }
  int Threads() const;
  int Block() const;

  template <int kId>
  void Barrier() const;
  float ShuffleXor(float value, int mask) const;

  template <class W>
  W LoadGlobal(const W* from) const;
  template <class W>
  void StoreGlobal(W* to, const W& value) const;
  template <class W>
  W LoadShared(int offset) const;
  template <class W>
  void StoreShared(int offset, const W& value) const;

  float Exp2(float x) const { return Off(std::exp2(x), x, 0x1p-22f, 0); }
  float Log2(float x) const { return Off(std::log2(x), x, 0x1p-22f, 0x1p-22f); }
  float Reciprocal(float x) const { return Off(1 / x, x, 0x1p-23f, 0); }
  float ReciprocalSquareRoot(float x) const {
    return Off(1 / std::sqrt(x), x, 0x1p-22f, 0);
  }
  float Tanh(float x) const {
    return Off(std::tanh(x), x, 0, 0x1p-11f * std::abs(std::tanh(x)));
  }
  uint32_t PackBf16(float low, float high) const;

  uint32_t NextTicket(uint32_t* counter, uint32_t tickets) const;
  void Publish(uint64_t* word, float value) const;
  float Take(uint64_t* word) const;
  void PublishPair(uint64_t* word, const cuda::Word2& pair) const;
  cuda::Word2 TakePair(uint64_t* word) const;

 private:
  void PublishWord(uint64_t* word, uint64_t full) const;
  uint64_t TakeWord(uint64_t* word) const;
  // `exact`, or with worst_units one of the two worst answers.
  float Off(float exact, float argument, float relative, float absolute) const;

  CudaExecutor* executor_;
  int thread_;
};

class CudaExecutor {
 public:
  CudaExecutor() = default;
  CudaExecutor(const CudaExecutor&) = delete;
  CudaExecutor& operator=(const CudaExecutor&) = delete;

  // Registers a buffer, which must outlive the launches; null: none. Returns
  // its number.
  int Input(const void* data, size_t bytes) {
    return Register(data, bytes, Use::kInput);
  }
  int Output(const void* data, size_t bytes) {
    return Register(data, bytes, Use::kOutput);
  }
  int Scratch(const void* data, size_t bytes) {
    return Register(data, bytes, Use::kScratch);
  }
  template <class T>
  int Input(const std::vector<T>& buffer) {
    return Input(buffer.data(), buffer.size() * sizeof(T));
  }
  template <class T>
  int Output(const std::vector<T>& buffer) {
    return Output(buffer.data(), buffer.size() * sizeof(T));
  }
  // For tickets and published words.
  template <class T>
  int Scratch(const std::vector<T>& buffer) {
    return Scratch(buffer.data(), buffer.size() * sizeof(T));
  }

  // Runs `body` in every thread of every block; empty when all went well, else
  // what the first fault was, where the launch ends.
  std::string Launch(const LaunchShape& shape, const ExecutorOptions& options,
                     const std::function<void(const ExecutorContext&)>& body);

  // Of the last launch.
  const Traffic& traffic(int buffer) const { return buffers_[buffer].traffic; }
  // Whether it wrote every byte of the output.
  bool WroteAllOf(int buffer) const;

 private:
  friend class ExecutorContext;

  enum class Use { kInput, kOutput, kScratch };
  enum class Wait { kNothing, kBarrier, kShuffle, kDone };

  struct Buffer {
    const char* begin;
    size_t bytes;
    Use use;
    Traffic traffic;
    std::vector<int> sector_block;  // 1 + the block that loaded it last
    std::vector<bool> written;      // by byte
  };
  // Four bytes of shared memory: who was there, in which interval between
  // barriers. 0: nobody in this block.
  struct Cell {
    uint32_t write_epoch = 0, read_epoch = 0;
    int16_t writer = -1, reader = -1;  // kSeveral: more than one reader
  };
  struct ThreadState {
    std::unique_ptr<Fibre> fibre;
    Wait wait = Wait::kNothing;
    int barrier = -1;
    uint32_t epoch = 0;
    float offered[2] = {};  // to the warp's shuffles, even and odd ones
    int shuffles = 0;
  };

  int Register(const void* data, size_t bytes, Use use);
  void Begin(const LaunchShape& shape, const ExecutorOptions& options);
  void MakeThreads(const std::function<void(const ExecutorContext&)>& body);
  void RunBlock();
  bool RunReady(const int* order, int count);
  bool ReleaseBarrier();
  void ExplainStandstill();
  std::vector<int> MakeOrder(int count) const;

  // Ends the launch; does not return to the fibre, whose stack is given up:
  // what lies on it is not destroyed.
  [[noreturn]] void Fail(int thread, const char* what);
  void Suspend(int thread, Wait wait);
  void AtBarrier(int thread, int id);
  float Shuffle(int thread, float value, int mask);
  void CheckGlobal(int thread, const void* at, size_t bytes, bool store);
  void CheckShared(int thread, int offset, int bytes, bool store);

  std::vector<Buffer> buffers_;
  LaunchShape shape_;
  ExecutorOptions options_;
  std::function<void(const ExecutorContext&)> body_;
  std::vector<ThreadState> threads_;
  std::unique_ptr<char[]> shared_;
  std::vector<Cell> cells_;
  int block_ = 0;
  uint32_t epoch_ = 0;       // the block's first interval
  uint32_t last_epoch_ = 0;  // the latest interval that any thread was in
  std::string failure_;
};

inline int ExecutorContext::Threads() const {
  return executor_->shape_.threads;
}
inline int ExecutorContext::Block() const { return executor_->block_; }

template <int kId>
void ExecutorContext::Barrier() const {
  executor_->AtBarrier(thread_, kId);
}

inline float ExecutorContext::ShuffleXor(float value, int mask) const {
  return executor_->Shuffle(thread_, value, mask);
}

template <class W>
W ExecutorContext::LoadGlobal(const W* from) const {
  executor_->CheckGlobal(thread_, from, sizeof(W), /*store=*/false);
  return *from;
}

template <class W>
void ExecutorContext::StoreGlobal(W* to, const W& value) const {
  executor_->CheckGlobal(thread_, to, sizeof(W), /*store=*/true);
  *to = value;
}

template <class W>
W ExecutorContext::LoadShared(int offset) const {
  static_assert(sizeof(W) >= 4, "races are seen by words of four bytes");
  executor_->CheckShared(thread_, offset, sizeof(W), /*store=*/false);
  W value;
  std::memcpy(&value, executor_->shared_.get() + offset, sizeof(W));
  return value;
}

template <class W>
void ExecutorContext::StoreShared(int offset, const W& value) const {
  static_assert(sizeof(W) >= 4, "races are seen by words of four bytes");
  executor_->CheckShared(thread_, offset, sizeof(W), /*store=*/true);
  std::memcpy(executor_->shared_.get() + offset, &value, sizeof(W));
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_CUDA_EXECUTOR_H_
