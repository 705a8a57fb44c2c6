// A whole checkpoint. The input is cut in three: a pickle's length, the pickle,
// and the bytes of storage "0", which are put into an archive with right
// checksums, so that the fuzzer gets past them; the input as it is is read,
// too.

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model/convert/checkpoint.h"
#include "model/convert/layout.h"
#include "tests/model/convert/pickle_bytes.h"

namespace groupmamba {
namespace {

// Touches every byte, so that the address sanitizer sees where it lies.
void Use(absl::StatusOr<Checkpoint> checkpoint) {
  if (!checkpoint.ok()) return;
  volatile uint8_t sum = 0;
  for (const auto& [name, tensor] : checkpoint->tensors) {
    for (const uint8_t byte : tensor.bytes) sum = sum ^ byte;
  }
  if (!StripPrefix(&checkpoint->tensors).ok()) return;
  const auto config = ConfigFromShapes(checkpoint->tensors, {});
  if (config.ok()) VariantOf(*config);
}

void Run(const uint8_t* data, size_t size) {
  Use(ParseCheckpoint({data, data + size}, ""));
  if (size < 2) return;
  uint16_t wanted = 0;
  std::memcpy(&wanted, data, sizeof(wanted));
  const size_t length = std::min<size_t>(wanted, size - sizeof(wanted));
  const auto* text = reinterpret_cast<const char*>(data) + sizeof(wanted);
  const std::string pickle(text, length);
  const std::string storage(text + length, size - sizeof(wanted) - length);
  const std::string file =
      testing::ZipOf({{"a/data.pkl", pickle}, {"a/data/0", storage}});
  Use(ParseCheckpoint(testing::BytesOf(file), ""));
}

}  // namespace
}  // namespace groupmamba

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  groupmamba::Run(data, size);
  return 0;
}
