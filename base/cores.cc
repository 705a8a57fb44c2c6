#include "base/cores.h"

#include <algorithm>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace groupmamba {
namespace {

// The first two words of a file, as numbers; 0 for what is none, as "max".
struct Numbers {
  double first = 0;
  double second = 0;
};
Numbers ReadNumbers(const std::string& path) {
  std::ifstream file(path);
  std::string first, second;
  file >> first >> second;
  Numbers numbers;
  if (!absl::SimpleAtod(first, &numbers.first)) numbers.first = 0;
  if (!absl::SimpleAtod(second, &numbers.second)) numbers.second = 0;
  return numbers;
}

// Of one control group, in cores; 0: none.
double QuotaOf(const std::string& folder) {
  const Numbers max = ReadNumbers(absl::StrCat(folder, "/cpu.max"));
  if (max.first > 0 && max.second > 0) return max.first / max.second;
  const double quota =
      ReadNumbers(absl::StrCat(folder, "/cpu.cfs_quota_us")).first;
  const double period =
      ReadNumbers(absl::StrCat(folder, "/cpu.cfs_period_us")).first;
  return quota > 0 && period > 0 ? quota / period : 0;
}

// Where the hierarchy that governs processor time is mounted, and the process's
// place in it, which begins with a slash. A line of /proc/self/cgroup is
// NUMBER:CONTROLLERS:PLACE, without controllers in version 2.
struct Group {
  std::string mount;
  std::string place;
};
Group FindGroup(const std::string& root) {
  std::ifstream file(absl::StrCat(root, "/proc/self/cgroup"));
  Group found;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") !=
        controllers.end()) {
      return {absl::StrCat(root, "/sys/fs/cgroup/cpu"), parts[2]};
    }
    if (parts[1].empty()) {
      found = {absl::StrCat(root, "/sys/fs/cgroup"), parts[2]};
    }
  }
  return found;
}

}  // namespace

double CpuQuota(const std::string& root) {
  Group group = FindGroup(root);
  if (group.mount.empty()) return 0;
  double smallest = 0;
  while (true) {
    const double quota = QuotaOf(group.mount + group.place);
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    if (group.place.size() <= 1) return smallest;
    group.place.resize(group.place.rfind('/'));
  }
}

int UsableCores() {
  // In glibc, those of the affinity mask.
  const int cores =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const double quota = CpuQuota("");
  if (quota == 0 || quota >= cores) return cores;
  return std::max(1, static_cast<int>(quota));
}

}  // namespace groupmamba
