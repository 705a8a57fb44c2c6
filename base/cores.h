// How many processor cores this process may keep busy: what thread pools are
// sized by.

#ifndef GROUPMAMBA_BASE_CORES_H_
#define GROUPMAMBA_BASE_CORES_H_

#include <string>

namespace groupmamba {

// The cores of the process's affinity mask, or fewer where its control group
// has a smaller CPU quota, rounded down: a thread that is throttled holds up
// those that wait for it. At least 1. Thread-safe.
int UsableCores();

// The smallest CPU quota of the process's control group and of those around
// it, in cores, by version 2 (cpu.max) or 1 (cpu.cfs_quota_us); 0: none.
// `root` stands before /proc and /sys, for tests.
double CpuQuota(const std::string& root);

}  // namespace groupmamba

#endif  // GROUPMAMBA_BASE_CORES_H_
