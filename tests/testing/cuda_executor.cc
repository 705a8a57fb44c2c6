#include "tests/testing/cuda_executor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"

namespace groupmamba::testing {
namespace {

constexpr int kSectorBytes = 32;
constexpr int16_t kSeveral = -2;

uint32_t Bf16Bits(float value) {
  const uint32_t bits = cuda::BitsOfFloat(value);
  if (std::isnan(value)) return 0x7fff;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

}  // namespace

uint32_t ExecutorContext::PackBf16(float low, float high) const {
  return Bf16Bits(low) | Bf16Bits(high) << 16;
}

float ExecutorContext::Off(float exact, float argument, float relative,
                           float absolute) const {
  if (!executor_->options_.worst_units || !std::isfinite(exact)) return exact;
  const bool up = cuda::BitsOfFloat(argument) * 2654435761u >> 31;
  const float error = relative * std::abs(exact) + absolute;
  return up ? exact + error : exact - error;
}

uint32_t ExecutorContext::NextTicket(uint32_t* counter,
                                     uint32_t tickets) const {
  executor_->CheckGlobal(thread_, counter, sizeof(*counter), /*store=*/true);
  const uint32_t ticket = *counter;
  *counter = ticket >= tickets - 1 ? 0 : ticket + 1;
  return ticket;
}

void ExecutorContext::PublishWord(uint64_t* word, uint64_t full) const {
  executor_->CheckGlobal(thread_, word, sizeof(*word), /*store=*/true);
  if (*word != 0) executor_->Fail(thread_, "publishes over an untaken value");
  if (full == 0) executor_->Fail(thread_, "publishes what empties the word");
  *word = full;
}

uint64_t ExecutorContext::TakeWord(uint64_t* word) const {
  executor_->CheckGlobal(thread_, word, sizeof(*word), /*store=*/true);
  if (*word == 0) {
    executor_->Fail(thread_, "waits for what no earlier block publishes");
  }
  const uint64_t full = *word;
  *word = 0;
  return full;
}

void ExecutorContext::Publish(uint64_t* word, float value) const {
  PublishWord(word, uint64_t{1} << 32 | cuda::BitsOfFloat(value));
}

float ExecutorContext::Take(uint64_t* word) const {
  return cuda::FloatOfBits(static_cast<uint32_t>(TakeWord(word)));
}

void ExecutorContext::PublishPair(uint64_t* word,
                                  const cuda::Word2& pair) const {
  PublishWord(word, ~(uint64_t{pair.word[1]} << 32 | pair.word[0]));
}

cuda::Word2 ExecutorContext::TakePair(uint64_t* word) const {
  const uint64_t pair = ~TakeWord(word);
  return {{static_cast<uint32_t>(pair), static_cast<uint32_t>(pair >> 32)}};
}

int CudaExecutor::Register(const void* data, size_t bytes, Use use) {
  buffers_.push_back({static_cast<const char*>(data), bytes, use, {}, {}, {}});
  return static_cast<int>(buffers_.size()) - 1;
}

std::string CudaExecutor::Launch(
    const LaunchShape& shape, const ExecutorOptions& options,
    const std::function<void(const ExecutorContext&)>& body) {
  if (shape.threads % cuda::kWarp != 0 || shape.threads < cuda::kWarp ||
      shape.threads > 1024) {
    return absl::StrCat("a block of ", shape.threads, " threads");
  }
  Begin(shape, options);
  MakeThreads(body);
  for (int block : MakeOrder(shape.blocks)) {
    block_ = block;
    RunBlock();
    if (!failure_.empty()) break;
  }
  threads_.clear();
  body_ = nullptr;
  return failure_;
}

void CudaExecutor::Begin(const LaunchShape& shape,
                         const ExecutorOptions& options) {
  shape_ = shape;
  options_ = options;
  failure_.clear();
  epoch_ = last_epoch_ = 0;
  shared_.reset(new char[shape.shared_bytes]);
  cells_.assign((shape.shared_bytes + 3) / 4, Cell{});
  for (Buffer& buffer : buffers_) {
    buffer.traffic = {};
    buffer.sector_block.assign(buffer.bytes / kSectorBytes + 2, 0);
    if (buffer.use == Use::kOutput) buffer.written.assign(buffer.bytes, false);
  }
}

void CudaExecutor::MakeThreads(
    const std::function<void(const ExecutorContext&)>& body) {
  body_ = body;
  threads_.clear();
  threads_.resize(shape_.threads);
  for (int t = 0; t < shape_.threads; ++t) {
    threads_[t].fibre = std::make_unique<Fibre>([this, t] {
      for (;;) {
        body_(ExecutorContext(this, t));
        Suspend(t, Wait::kDone);
      }
    });
  }
}

std::vector<int> CudaExecutor::MakeOrder(int count) const {
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (options_.order == Order::kReverse) {
    std::reverse(order.begin(), order.end());
  } else if (options_.order == Order::kShuffled) {
    std::shuffle(order.begin(), order.end(), std::mt19937(count));
  }
  return order;
}

void CudaExecutor::RunBlock() {
  epoch_ = ++last_epoch_;
  std::memset(shared_.get(), 0xff,
              shape_.shared_bytes);  // NaN in fp32 and bf16
  for (ThreadState& thread : threads_) {
    thread.wait = Wait::kNothing;
    thread.epoch = epoch_;
    thread.shuffles = 0;
  }
  const std::vector<int> order = MakeOrder(shape_.threads);
  const int together =
      options_.order == Order::kWarps ? cuda::kWarp : shape_.threads;
  const auto done = [](const ThreadState& t) { return t.wait == Wait::kDone; };
  for (;;) {
    for (int first = 0; first < shape_.threads; first += together) {
      while (RunReady(&order[first], together)) {
      }
    }
    if (!failure_.empty()) return;
    if (std::all_of(threads_.begin(), threads_.end(), done)) return;
    if (!ReleaseBarrier()) return ExplainStandstill();
  }
}

// Whether any thread ran.
bool CudaExecutor::RunReady(const int* order, int count) {
  bool ran = false;
  for (int i = 0; i < count; ++i) {
    const int t = order[i];
    if (threads_[t].wait != Wait::kNothing) continue;
    threads_[t].fibre->Resume();
    if (!failure_.empty()) return false;
    ran = true;
  }
  return ran;
}

// Whether all threads were at one barrier.
bool CudaExecutor::ReleaseBarrier() {
  for (const ThreadState& thread : threads_) {
    if (thread.wait != Wait::kBarrier ||
        thread.barrier != threads_[0].barrier) {
      return false;
    }
  }
  for (ThreadState& thread : threads_) {
    thread.wait = Wait::kNothing;
    last_epoch_ = std::max(last_epoch_, ++thread.epoch);
  }
  return true;
}

void CudaExecutor::ExplainStandstill() {
  std::set<std::string> places;
  bool shuffling = false;
  for (const ThreadState& thread : threads_) {
    if (thread.wait == Wait::kShuffle) {
      shuffling = true;
      places.insert("in a shuffle");
    } else if (thread.wait == Wait::kBarrier) {
      places.insert(absl::StrCat("at barrier ", thread.barrier));
    } else {
      places.insert("at the end");
    }
  }
  failure_ = absl::StrCat("block ", block_, ": ",
                          shuffling ? "partial warp" : "divergent barrier",
                          ": threads are");
  for (const std::string& place : places) {
    absl::StrAppend(&failure_, " ", place, ";");
  }
}

void CudaExecutor::Fail(int thread, const char* what) {
  failure_ = absl::StrCat("block ", block_, ", thread ", thread, ": ", what);
  for (;;) threads_[thread].fibre->Yield();
}

void CudaExecutor::Suspend(int thread, Wait wait) {
  threads_[thread].wait = wait;
  threads_[thread].fibre->Yield();
}

void CudaExecutor::AtBarrier(int thread, int id) {
  if (id == options_.removed_barrier) return;
  threads_[thread].barrier = id;
  Suspend(thread, Wait::kBarrier);
}

float CudaExecutor::Shuffle(int thread, float value, int mask) {
  // A lane can be one shuffle ahead of another, not two: two places are enough.
  const int side = threads_[thread].shuffles++ & 1;
  threads_[thread].offered[side] = value;
  threads_[thread].wait = Wait::kShuffle;
  const int first = thread / cuda::kWarp * cuda::kWarp;
  bool all = true;
  for (int lane = first; lane < first + cuda::kWarp; ++lane) {
    all = all && threads_[lane].wait == Wait::kShuffle &&
          threads_[lane].shuffles == threads_[thread].shuffles;
  }
  if (all) {
    for (int lane = first; lane < first + cuda::kWarp; ++lane) {
      threads_[lane].wait = Wait::kNothing;
    }
  } else {
    threads_[thread].fibre->Yield();
  }
  return threads_[first + ((thread - first) ^ mask)].offered[side];
}

void CudaExecutor::CheckGlobal(int thread, const void* at, size_t bytes,
                               bool store) {
  const char* address = static_cast<const char*>(at);
  const auto found = std::find_if(
      buffers_.begin(), buffers_.end(), [address](const Buffer& b) {
        return address >= b.begin && address < b.begin + b.bytes;
      });
  if (found == buffers_.end()) {
    Fail(thread, "global access outside of every buffer");
  }
  Buffer& buffer = *found;
  const size_t offset = address - buffer.begin;
  if (offset + bytes > buffer.bytes) Fail(thread, "global access overruns");
  if (reinterpret_cast<uintptr_t>(at) % bytes != 0) {
    Fail(thread, "misaligned global access");
  }
  if (bytes < 8) ++buffer.traffic.narrow;
  if (buffer.use == Use::kScratch) {
    buffer.traffic.stored += static_cast<int64_t>(bytes);
    return;
  }
  if (store != (buffer.use == Use::kOutput)) {
    Fail(thread, store ? "writes an input" : "reads an output");
  }
  if (store) {
    buffer.traffic.stored += static_cast<int64_t>(bytes);
    for (size_t i = offset; i < offset + bytes; ++i) {
      if (buffer.written[i]) Fail(thread, "writes an output twice");
      buffer.written[i] = true;
    }
    return;
  }
  int& sector = buffer.sector_block[offset / kSectorBytes];
  if (sector == 0) buffer.traffic.loaded_distinct += kSectorBytes;
  if (sector != block_ + 1) buffer.traffic.loaded_by_blocks += kSectorBytes;
  sector = block_ + 1;
}

void CudaExecutor::CheckShared(int thread, int offset, int bytes, bool store) {
  if (offset < 0 || offset + bytes > shape_.shared_bytes) {
    Fail(thread, "shared access overruns");
  }
  if (offset % bytes != 0) Fail(thread, "misaligned shared access");
  const uint32_t now = threads_[thread].epoch;
  const auto self = static_cast<int16_t>(thread);
  for (int i = offset / 4; i < (offset + bytes) / 4; ++i) {
    Cell& cell = cells_[i];
    if (!store && cell.write_epoch < epoch_) {
      Fail(thread, "reads shared memory that nobody wrote");
    }
    if (options_.detect_races) {
      if (cell.write_epoch == now && cell.writer != self) {
        Fail(thread, "race in shared memory with a write");
      }
      if (store && cell.read_epoch == now && cell.reader != self) {
        Fail(thread, "race in shared memory with a read");
      }
    }
    if (store) {
      cell.write_epoch = now;
      cell.writer = self;
    } else {
      cell.reader =
          cell.read_epoch == now && cell.reader != self ? kSeveral : self;
      cell.read_epoch = now;
    }
  }
}

bool CudaExecutor::WroteAllOf(int buffer) const {
  const std::vector<bool>& written = buffers_[buffer].written;
  return std::all_of(written.begin(), written.end(), [](bool w) { return w; });
}

}  // namespace groupmamba::testing
