// What a confined process can and cannot do; each case in a process of its own.

#include "server/isolation/confinement.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

constexpr int64_t kMemory = int64_t{256} << 20;
constexpr size_t kPage = 4096;

// How a process ends that confines itself and then does that: its exit code, or
// minus the signal that killed it.
int EndOf(const std::function<int()>& act) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (!ConfineDecoder(kMemory).ok()) _exit(99);
    _exit(act());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(ConfineDecoderTest, ComputingIsAllowed) {
  EXPECT_EQ(EndOf([] {
              // Large enough for a mapping of its own.
              void* const memory = std::malloc(64 << 20);
              const bool there = memory != nullptr;
              std::free(memory);
              return there ? 7 : 8;
            }),
            7);
}

TEST(ConfineDecoderTest, SystemCallsThatReachOutKill) {
  const std::function<int()> calls[] = {
      [] { return open("/dev/null", O_RDONLY); },
      [] { return socket(AF_INET, SOCK_STREAM, 0); },
      [] { return static_cast<int>(fork()); },
      [] {
        char* const none[] = {nullptr};
        return execve("/bin/true", none, none);
      },
      [] { return kill(getppid(), 0); },
      [] { return static_cast<int>(ptrace(PTRACE_TRACEME, 0, 0, 0)); },
      [] { return static_cast<int>(syscall(SYS_memfd_create, "", 0)); },
      // x32's number of read.
      [] { return static_cast<int>(syscall(0x40000000, 0, nullptr, 0)); },
  };
  for (size_t i = 0; i < std::size(calls); ++i) {
    EXPECT_EQ(EndOf(calls[i]), -SIGSYS) << i;
  }
}

TEST(ConfineDecoderTest, MemoryIsNeverExecutable) {
  EXPECT_EQ(EndOf([] {
              mmap(nullptr, kPage, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return 0;
            }),
            -SIGSYS);
  EXPECT_EQ(EndOf([] {
              void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              mprotect(page, kPage, PROT_READ);
              mprotect(page, kPage, PROT_READ | PROT_EXEC);
              return 0;
            }),
            -SIGSYS);
}

TEST(ConfineDecoderTest, MemoryIsLimited) {
  EXPECT_EQ(EndOf([] {
              return mmap(nullptr, kMemory + kPage, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                         ? 7
                         : 8;
            }),
            7);
}

TEST(ConfineDecoderTest, WhatIsOpenStaysOpen) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(EndOf([&] {
              char byte = 'a';
              if (write(ends[1], &byte, 1) != 1) return 1;
              return read(ends[0], &byte, 1) == 1 ? 7 : 8;
            }),
            7);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace groupmamba
