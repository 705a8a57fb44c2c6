#include "model/freed_memory.h"

#include <malloc.h>

namespace groupmamba {

void KeepFreedMemory() {
  constexpr int kBytes = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kBytes);
  mallopt(M_TRIM_THRESHOLD, kBytes);
  // At least the 64 MiB of a thread's heap, which is otherwise unmapped when
  // empty.
  mallopt(M_TOP_PAD, 1 << 27);
}

}  // namespace groupmamba
