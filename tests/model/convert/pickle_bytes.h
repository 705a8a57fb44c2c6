// Pickles and zip archives written byte by byte, so that tests can make wrong
// ones.

#ifndef GROUPMAMBA_TESTS_MODEL_CONVERT_PICKLE_BYTES_H_
#define GROUPMAMBA_TESTS_MODEL_CONVERT_PICKLE_BYTES_H_

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace groupmamba::testing {

template <typename T>
std::string Raw(T number) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &number, sizeof(T));
  return bytes;
}

// The opcodes of values.
inline std::string Text(absl::string_view text) {
  return absl::StrCat("X", Raw(static_cast<uint32_t>(text.size())), text);
}
inline std::string Int(int64_t number) {
  return absl::StrCat("\x8a\x08", Raw(number));
}
inline std::string Tuple(const std::string& items) { return "(" + items + "t"; }

// A tensor of `sizes` and `strides`, opcodes of integers, in the storage
// "torch.`type`" `key` of so many elements.
inline std::string TensorOps(const std::string& sizes,
                             const std::string& strides, int64_t offset = 0,
                             int64_t elements = 4,
                             const std::string& type = "FloatStorage",
                             const std::string& key = "0") {
  const std::string storage =
      absl::StrCat(Tuple(absl::StrCat(Text("storage"), "ctorch\n", type, "\n",
                                      Text(key), Text("cpu"), Int(elements))),
                   "Q");
  return absl::StrCat(
      "ctorch._utils\n_rebuild_tensor_v2\n",
      Tuple(absl::StrCat(storage, Int(offset), Tuple(sizes), Tuple(strides))),
      "R");
}

// A whole pickle of one value.
inline std::string PickleOf(const std::string& value) {
  return absl::StrCat("\x80\x02", value, ".");
}

// {"a": value}
inline std::string DictOf(const std::string& value) {
  return absl::StrCat("}", Text("a"), value, "s");
}

inline std::vector<uint8_t> BytesOf(const std::string& text) {
  return std::vector<uint8_t>(text.begin(), text.end());
}

// An archive of stored entries. Faults are made by altering the result.
inline std::string ZipOf(
    const std::vector<std::pair<std::string, std::string>>& entries,
    uint16_t method = 0) {
  std::string file;
  std::string directory;
  for (const auto& [name, data] : entries) {
    const auto size = static_cast<uint32_t>(data.size());
    const auto crc = static_cast<uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(data.data()), size));
    const std::string common =
        absl::StrCat(Raw(uint16_t{0}), Raw(uint16_t{0}), Raw(method),
                     Raw(uint32_t{0}), Raw(crc), Raw(size), Raw(size),
                     Raw(static_cast<uint16_t>(name.size())), Raw(uint16_t{0}));
    absl::StrAppend(&directory, "PK\x01\x02", Raw(uint16_t{0}), common,
                    std::string(10, '\0'),
                    Raw(static_cast<uint32_t>(file.size())), name);
    absl::StrAppend(&file, "PK\x03\x04", common, name, data);
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return absl::StrCat(
      file, directory, "PK\x05\x06", Raw(uint32_t{0}), Raw(count), Raw(count),
      Raw(static_cast<uint32_t>(directory.size())),
      Raw(static_cast<uint32_t>(file.size())), Raw(uint16_t{0}));
}

// A checkpoint of one storage, "0", of 16 bytes.
inline std::string CheckpointOf(const std::string& pickle) {
  return ZipOf(
      {{"archive/data.pkl", pickle}, {"archive/data/0", "0123456789abcdef"}});
}

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_MODEL_CONVERT_PICKLE_BYTES_H_
