#include "server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "server/gauges.h"

namespace groupmamba {
namespace {

// The fields of /proc/self/stat after the program's name, numbered as in
// proc(5).
double StatField(int number) {
  std::ifstream file("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  // The name, field 2, stands in brackets and may hold anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= number; ++i) rest >> field;
  return std::strtod(field.c_str(), nullptr);
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) +
           static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double BootTime() {
  std::ifstream file("/proc/stat");
  std::string word;
  double seconds = 0;
  while (file >> word) {
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

double StartTime() {
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return BootTime() + StatField(22) / ticks;
}

double OpenFiles() {
  std::error_code error;
  std::filesystem::directory_iterator it("/proc/self/fd", error);
  if (error) return 0;
  // One of them is the directory being read.
  return static_cast<double>(std::distance(begin(it), end(it)) - 1);
}

double MaxFiles() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

std::shared_ptr<prometheus::Collectable> MakeProcessMetrics() {
  return std::make_shared<Gauges>(std::vector<Gauges::Gauge>{
      {"process_cpu_seconds_total", "User and system time spent.", CpuSeconds,
       true},
      {"process_resident_memory_bytes", "Resident memory.",
       [] {
         return StatField(24) * static_cast<double>(sysconf(_SC_PAGESIZE));
       }},
      {"process_virtual_memory_bytes", "Virtual memory.",
       [] { return StatField(23); }},
      {"process_threads", "Threads.", [] { return StatField(20); }},
      {"process_open_fds", "Open file descriptors.", OpenFiles},
      {"process_max_fds", "The limit of open file descriptors.", MaxFiles},
      {"process_start_time_seconds", "When the process began, in Unix time.",
       StartTime},
  });
}

}  // namespace groupmamba
