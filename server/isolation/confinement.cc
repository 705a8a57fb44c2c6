#include "server/isolation/confinement.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/status_macros.h"

namespace groupmamba {
namespace {

// Allowed whatever their arguments: no file can be opened, so that reading and
// writing reach the server's socket and nothing else.
constexpr int kAllowed[] = {SYS_read,   SYS_write,     SYS_recvfrom,
                            SYS_sendto, SYS_munmap,    SYS_mremap,
                            SYS_brk,    SYS_madvise,   SYS_clock_gettime,
                            SYS_futex,  SYS_exit_group};

// Allowed with memory that is not executable. Both take PROT_... third.
constexpr int kMapping[] = {SYS_mmap, SYS_mprotect};

using Filter = std::vector<sock_filter>;

// The filter's program reads one 32-bit word of seccomp_data at a time.
void Load(size_t offset, Filter* filter) {
  filter->push_back(
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
}

void Return(uint32_t action, Filter* filter) {
  filter->push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

// Goes on with the next `count` instructions when the word equals `value`, and
// past them otherwise.
void IfEqual(uint32_t value, uint8_t count, Filter* filter) {
  filter->push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
}

Filter MakeFilter() {
  Filter filter;
  // Numbers of another architecture mean other calls; those of x32, which have
  // a high bit, are in no list.
  Load(offsetof(seccomp_data, arch), &filter);
  filter.push_back(
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  Return(SECCOMP_RET_KILL_PROCESS, &filter);

  Load(offsetof(seccomp_data, nr), &filter);
  for (const int number : kAllowed) {
    IfEqual(static_cast<uint32_t>(number), 1, &filter);
    Return(SECCOMP_RET_ALLOW, &filter);
  }
  for (const int number : kMapping) {
    IfEqual(static_cast<uint32_t>(number), 4, &filter);
    // The low word; PROT_EXEC is in it.
    Load(offsetof(seccomp_data, args[2]), &filter);
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    Return(SECCOMP_RET_KILL_PROCESS, &filter);
    Return(SECCOMP_RET_ALLOW, &filter);
  }
  Return(SECCOMP_RET_KILL_PROCESS, &filter);
  return filter;
}

absl::Status Check(int result, const char* call) {
  if (result == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, call);
}

absl::Status Limit(__rlimit_resource resource, int64_t value) {
  const rlimit limit = {static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  return Check(setrlimit(resource, &limit), "setrlimit");
}

}  // namespace

absl::Status ConfineDecoder(int64_t memory_bytes) {
  GM_RETURN_IF_ERROR(
      Check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS"));
  GM_RETURN_IF_ERROR(
      Check(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG"));
  GM_RETURN_IF_ERROR(Check(prctl(PR_SET_DUMPABLE, 0), "PR_SET_DUMPABLE"));
  for (const auto resource :
       {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CORE}) {
    GM_RETURN_IF_ERROR(Limit(resource, 0));
  }
  GM_RETURN_IF_ERROR(Limit(RLIMIT_DATA, memory_bytes));

  Filter filter = MakeFilter();
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              filter.data()};
  return Check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program),
               "PR_SET_SECCOMP");
}

}  // namespace groupmamba
