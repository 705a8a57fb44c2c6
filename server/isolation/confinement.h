// What a decoder process takes from itself before it sees a stranger's bytes.

#ifndef GROUPMAMBA_SERVER_ISOLATION_CONFINEMENT_H_
#define GROUPMAMBA_SERVER_ISOLATION_CONFINEMENT_H_

#include <cstdint>

#include "absl/status/status.h"

namespace groupmamba {

// For good, for the whole process, which must have one thread:
//
// - no new privileges, no core file, no tracing by others of its user; it ends
//   with the thread that started it;
// - rlimits: no further file, process or byte written to a file, and at most
//   `memory_bytes` of private memory;
// - of the system calls those alone that computing needs: memory that is not
//   executable, reading and writing what is open, the time, ending. Any other
//   kills the process (SIGSYS).
//
// What is open stays open; close it before. Needs no privilege. Errors: the
// system's; then do not go on.
absl::Status ConfineDecoder(int64_t memory_bytes);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_CONFINEMENT_H_
