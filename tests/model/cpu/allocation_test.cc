// After its first pictures the engine allocates nothing: counted by replacing
// operator new for the whole program.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "model/engine.h"
#include "tests/model/formula_folder.h"
#include "tests/model/small_config.h"

namespace {

std::atomic<int64_t> allocations = 0;

void* Allocate(size_t size, size_t alignment) {
  ++allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)),
                     size == 0 ? 1 : size) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size, alignof(max_align_t)); }
void* operator new[](size_t size) {
  return Allocate(size, alignof(max_align_t));
}
void* operator new(size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
// As std::stable_sort asks; the standard's would call the first one above, the
// address sanitizer's does not.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size, alignof(max_align_t));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace groupmamba {
namespace {

class AllocationTest : public testing::TestWithParam<BlockForm> {};
INSTANTIATE_TEST_SUITE_P(Form, AllocationTest,
                         testing::Values(BlockForm::kReleased,
                                         BlockForm::kPaper));

TEST_P(AllocationTest, AWarmEngineAllocatesNothing) {
  const ModelConfig config = SmallConfig(GetParam());
  FormulaFolder folder("allocation_test", config);
  folder.Write();
  const std::unique_ptr<Engine> engine =
      LoadEngine(folder.model(), {.threads = 2}).value();
  const int64_t after_load = allocations;
  EXPECT_GT(after_load, 0);  // the counter counts
  const std::vector<uint8_t> pixels(
      size_t{3} * config.input.crop * config.input.crop, 7);
  for (const int batch : {1, 8}) {
    const std::vector<const uint8_t*> images(batch, pixels.data());
    std::vector<float> logits(batch * config.classes);
    // A thread may meet its first picture late: as many rounds as it takes
    // until none allocates, and fewer than a leak would.
    int64_t counted = -1;
    for (int round = 0; round < 100 && counted != 0; ++round) {
      const int64_t before = allocations;
      ASSERT_TRUE(engine->Infer(images, absl::MakeSpan(logits)).ok());
      counted = allocations - before;
    }
    EXPECT_EQ(counted, 0) << "batch of " << batch;
  }
}

}  // namespace
}  // namespace groupmamba
