#include "tests/testing/fibre.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define GM_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GM_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define GM_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GM_THREAD_SANITIZER
#endif
#endif

#ifdef GM_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef GM_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace groupmamba::testing {
namespace {

constexpr size_t kStackBytes = 128 * 1024;

#ifdef __x86_64__
// Saves the registers that a callee must keep and the stack pointer, and takes
// up another's.
extern "C" void GroupMambaSwitchStack(void** save, void* load);
asm(R"(
.text
.type GroupMambaSwitchStack, @function
GroupMambaSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size GroupMambaSwitchStack, .-GroupMambaSwitchStack
)");

struct Context {
  void Start(char* stack, void (*entry)()) {
    // The entry finds the stack as after a call: 8 off a multiple of 16.
    auto** top = reinterpret_cast<void**>(stack + kStackBytes) - 2;
    top[0] = reinterpret_cast<void*>(entry);
    top[1] = nullptr;
    pointer = top - 6;
    for (int i = 0; i < 6; ++i) (top - 6)[i] = nullptr;
  }
  static void Switch(Context& from, Context& to) {
    GroupMambaSwitchStack(&from.pointer, to.pointer);
  }
  void* pointer = nullptr;
};
#else
struct Context {
  void Start(char* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  static void Switch(Context& from, Context& to) {
    swapcontext(&from.context, &to.context);
  }
  ucontext_t context;
};
#endif

}  // namespace

struct Fibre::State {
  std::function<void()> body;
  char* mapping = nullptr;
  char* stack = nullptr;
  Context own, resumer;
  // What the address sanitizer tells about the resumer's stack.
  const void* resumer_stack = nullptr;
  size_t resumer_stack_bytes = 0;
  void* own_fake_stack = nullptr;
  void* tsan_own = nullptr;
  void* tsan_resumer = nullptr;
};

namespace {
thread_local Fibre* entering = nullptr;
}  // namespace

Fibre::Fibre(std::function<void()> body) : state_(new State) {
  state_->body = std::move(body);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* mapping = mmap(nullptr, kStackBytes + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) std::abort();
  // An overflow faults instead of writing into a neighbour.
  if (mprotect(mapping, page, PROT_NONE) != 0) std::abort();
  state_->mapping = static_cast<char*>(mapping);
  state_->stack = state_->mapping + page;
#ifdef GM_ADDRESS_SANITIZER
  // Its memory of an abandoned stack at the same address outlives the mapping.
  __asan_unpoison_memory_region(state_->stack, kStackBytes);
#endif
  state_->own.Start(state_->stack, &Fibre::Enter);
#ifdef GM_THREAD_SANITIZER
  state_->tsan_own = __tsan_create_fiber(0);
#endif
}

Fibre::~Fibre() {
#ifdef GM_THREAD_SANITIZER
  __tsan_destroy_fiber(state_->tsan_own);
#endif
  munmap(state_->mapping, state_->stack - state_->mapping + kStackBytes);
}

void Fibre::Resume() {
  entering = this;
#ifdef GM_ADDRESS_SANITIZER
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->stack, kStackBytes);
#endif
#ifdef GM_THREAD_SANITIZER
  state_->tsan_resumer = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state_->tsan_own, 0);
#endif
  Context::Switch(state_->resumer, state_->own);
#ifdef GM_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fibre::Yield() {
#ifdef GM_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&state_->own_fake_stack, state_->resumer_stack,
                                 state_->resumer_stack_bytes);
#endif
#ifdef GM_THREAD_SANITIZER
  __tsan_switch_to_fiber(state_->tsan_resumer, 0);
#endif
  Context::Switch(state_->own, state_->resumer);
#ifdef GM_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(state_->own_fake_stack,
                                  &state_->resumer_stack,
                                  &state_->resumer_stack_bytes);
#endif
}

void Fibre::Enter() {
  State& state = *entering->state_;
#ifdef GM_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(nullptr, &state.resumer_stack,
                                  &state.resumer_stack_bytes);
#endif
  state.body();
  std::abort();
}

}  // namespace groupmamba::testing
