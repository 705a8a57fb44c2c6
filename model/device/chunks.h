// A batch in pieces that the device's memory can hold.

#ifndef GROUPMAMBA_MODEL_DEVICE_CHUNKS_H_
#define GROUPMAMBA_MODEL_DEVICE_CHUNKS_H_

#include <algorithm>
#include <cstdint>

#include "c10/util/Exception.h"

namespace groupmamba::device {

// Calls run(first, count) for pieces of at most *chunk until all `count` are
// done. Where it throws that memory is out, halves *chunk, for later calls too,
// calls free_memory() and begins again; throws on where one picture is too
// many.
template <class Run, class FreeMemory>
void RunInChunks(int64_t count, int64_t* chunk, Run run,
                 FreeMemory free_memory) {
  for (;;) {
    try {
      for (int64_t first = 0; first < count; first += *chunk) {
        run(first, std::min(*chunk, count - first));
      }
      return;
    } catch (const c10::OutOfMemoryError&) {
      if (std::min(*chunk, count) <= 1) throw;
    }
    *chunk = (std::min(*chunk, count) + 1) / 2;
    free_memory();
  }
}

}  // namespace groupmamba::device

#endif  // GROUPMAMBA_MODEL_DEVICE_CHUNKS_H_
