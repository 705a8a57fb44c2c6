// JSON from files that nobody vouches for. The library accepts a key twice and
// any depth; here both are errors, found before a document is built.
// Torch-free.

#ifndef GROUPMAMBA_MODEL_STRICT_JSON_H_
#define GROUPMAMBA_MODEL_STRICT_JSON_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace groupmamba {

struct JsonLimits {
  int64_t max_bytes = 0;
  int max_depth = 0;       // of objects and arrays; the outermost object is 1
  int64_t max_values = 0;  // objects, arrays and scalars together
};

// Parses an object. INVALID_ARGUMENT: over a limit, not JSON (bad UTF-8 and
// numbers too large for a double included), a key twice in one object, or no
// object. The message names the key or the byte, never quotes the text.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text,
                                               const JsonLimits& limits);

// Whether JSON can hold the text.
bool IsUtf8(const std::string& text);

// Text from a file, fit for a message: control characters and other odd bytes
// escaped, cut after 100 bytes.
std::string QuoteForMessage(absl::string_view text);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_STRICT_JSON_H_
