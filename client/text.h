// How numbers, names and bars look to a person. All functions are pure.

#ifndef GROUPMAMBA_CLIENT_TEXT_H_
#define GROUPMAMBA_CLIENT_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace groupmamba::client {

// A name from outside (path, label, message) made safe for a terminal: control
// characters become \xNN, everything else stays.
std::string Printable(absl::string_view text);

// Columns that UTF-8 `text` takes, counting every code point as one.
int DisplayWidth(absl::string_view text);

// `text` with spaces after (left-aligned) or before it (right-aligned) up to
// `width` columns; longer text is returned as it is.
std::string PadRight(absl::string_view text, int width);
std::string PadLeft(absl::string_view text, int width);

// 1234567 -> "1,234,567".
std::string WithThousands(int64_t value);

// At least three significant digits, at most two decimals: "0.12", "1.23",
// "12.3", "123", "1,234".
std::string Significant(double value);

// `milliseconds` as "12.3 ms"; from ten seconds on as "12.3 s".
std::string FormatMilliseconds(double milliseconds);

// `seconds` as "0.42 s", "12.3 s", "4:05 min".
std::string FormatSeconds(double seconds);

// `fraction` of 1 as "99.1 %".
std::string FormatPercent(double fraction);

// `fraction` of 1 as a bar of `cells` columns, in eighths of a column, padded
// with spaces. Outside 0 to 1 it is clamped.
std::string Bar(double fraction, int cells);

}  // namespace groupmamba::client

#endif  // GROUPMAMBA_CLIENT_TEXT_H_
