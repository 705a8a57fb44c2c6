// safetensors files written byte by byte, so that tests can make wrong ones.

#ifndef GROUPMAMBA_TESTS_MODEL_SAFETENSORS_BYTES_H_
#define GROUPMAMBA_TESTS_MODEL_SAFETENSORS_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace groupmamba::testing {

inline std::vector<uint8_t> BytesOf(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

// A file with the given header and so many data bytes, all 0.
inline std::vector<uint8_t> FileOf(const std::string& header,
                                   size_t data_bytes) {
  const uint64_t length = header.size();
  std::string text(sizeof(length), '\0');
  std::memcpy(text.data(), &length, sizeof(length));
  return BytesOf(text + header + std::string(data_bytes, '\0'));
}

// One tensor of a header; what is not a string is JSON as it is.
inline std::string Entry(const std::string& name, const std::string& dtype,
                         const std::string& shape, const std::string& offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype,
                      "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_MODEL_SAFETENSORS_BYTES_H_
