// A model's config.json. What is accepted is written and read again without a
// change.

#include <cstdlib>
#include <string>

#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using groupmamba::FormatModelConfig;
  using groupmamba::ParseModelConfig;
  const auto config =
      ParseModelConfig({reinterpret_cast<const char*>(data), size});
  if (!config.ok()) {
    if (!absl::IsInvalidArgument(config.status())) std::abort();
    return 0;
  }
  const std::string text = FormatModelConfig(*config);
  const auto again = ParseModelConfig(text);
  if (!again.ok() || FormatModelConfig(*again) != text) std::abort();
  return 0;
}
