// Makes tar files for tests, the wrong ones too.

#ifndef GROUPMAMBA_TESTS_MODEL_TRAINING_TAR_BYTES_H_
#define GROUPMAMBA_TESTS_MODEL_TRAINING_TAR_BYTES_H_

#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace groupmamba::training {

struct TarHeader {
  std::string name;
  std::string size;  // octal, as stored
  char type = '0';
  std::string prefix = "";
  std::string magic = std::string(
      "ustar\0"
      "00",
      8);
};

inline std::string HeaderBytes(const TarHeader& header) {
  std::string block(512, '\0');
  const auto put = [&block](size_t at, const std::string& text) {
    block.replace(at, text.size(), text);
  };
  put(0, header.name);
  put(100, "0000644");
  put(124, header.size);
  put(148, "        ");
  block[156] = header.type;
  put(257, header.magic);
  put(345, header.prefix);
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  put(148, std::string(text, 7));
  return block;
}

inline std::string Octal(size_t size) {
  char text[12];
  std::snprintf(text, sizeof text, "%011zo", size);
  return text;
}

// Header and content, filled up to whole blocks.
inline std::string Member(const std::string& name, absl::string_view content,
                          char type = '0') {
  std::string bytes =
      HeaderBytes({.name = name, .size = Octal(content.size()), .type = type});
  bytes.append(content.data(), content.size());
  bytes.resize((bytes.size() + 511) / 512 * 512);
  return bytes;
}

inline std::string TarEnd() { return std::string(1024, '\0'); }

}  // namespace groupmamba::training

#endif  // GROUPMAMBA_TESTS_MODEL_TRAINING_TAR_BYTES_H_
