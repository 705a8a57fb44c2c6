// Machine-readable output: keys in the order in which they were added, text
// from outside made valid UTF-8.

#ifndef GROUPMAMBA_CLIENT_JSON_H_
#define GROUPMAMBA_CLIENT_JSON_H_

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

namespace groupmamba::client {

using Json = nlohmann::ordered_json;

// `json` on one line, without its end. Bytes that are not UTF-8 become U+FFFD.
inline std::string ToLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The same over several lines, for files that people open.
inline std::string ToPage(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// `value` rounded to `decimals`, so that no digit is printed that means
// nothing.
inline double Rounded(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return std::round(value * scale) / scale;
}

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_JSON_H_
