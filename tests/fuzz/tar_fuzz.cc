// A tar file, its checksums mended. Of what is accepted, every member lies in
// the file, after the one before it, and has a name that leads nowhere else.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "model/training/tar.h"

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kChecksum = 148;
constexpr size_t kMagic = 257;

void MendChecksums(std::string* tar) {
  for (size_t block = 0; block + kBlock <= tar->size(); block += kBlock) {
    if (tar->compare(block + kMagic, 5, "ustar") != 0) continue;
    tar->replace(block + kChecksum, 8, "        ");
    unsigned sum = 0;
    for (size_t i = block; i < block + kBlock; ++i) {
      sum += static_cast<unsigned char>((*tar)[i]);
    }
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    tar->replace(block + kChecksum, 7, text, 7);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  MendChecksums(&bytes);
  std::istringstream tar(bytes);
  const auto members = groupmamba::training::ListTar(&tar, {});
  if (!members.ok()) return 0;
  int64_t end = 0;
  for (const auto& member : *members) {
    if (member.offset < end + static_cast<int64_t>(kBlock)) std::abort();
    end = member.offset + member.size;
    if (member.size < 0 || end > static_cast<int64_t>(size)) std::abort();
    if (member.name.empty() || member.name.front() == '/' ||
        ("/" + member.name + "/").find("/../") != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
