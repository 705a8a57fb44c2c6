// The server's settings file: settings, or a sentence that says what is wrong.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "server/options.h"

namespace {

// A file without a folder; its path is the same for every input.
int File() {
  static const int descriptor = memfd_create("settings", 0);
  return descriptor;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (ftruncate(File(), 0) != 0 ||
      pwrite(File(), data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const auto settings = groupmamba::ParseSettings(
      {"--config", "/proc/self/fd/" + std::to_string(File())});
  if (!settings.ok() && settings.status().message().empty()) std::abort();
  return 0;
}
