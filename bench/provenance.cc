#include "bench/provenance.h"

#include <cstdio>
#include <fstream>

#include "base/cores.h"

namespace groupmamba::bench {
namespace {

std::string Processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

std::string Commit() {
  const char* command =
      "git -C '" GM_SOURCE_DIR "' describe --always --dirty 2>/dev/null";
  char hash[64] = "";
  if (FILE* git = popen(command, "r")) {
    if (std::fscanf(git, "%63s", hash) != 1) hash[0] = '\0';
    pclose(git);
  }
  return hash[0] == '\0' ? "unknown" : hash;
}

}  // namespace

std::string Provenance() {
  return Processor() + ", " + std::to_string(UsableCores()) +
         " cores, commit " + Commit();
}

}  // namespace groupmamba::bench
