#include "client/text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupmamba::client {
namespace {

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

std::string Printable(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char byte = text[i];
    const unsigned char next = i + 1 < text.size() ? text[i + 1] : 0;
    if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&result, "\\x%02x", byte);
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      // The C1 controls, U+0080 to U+009F: some terminals obey them.
      absl::StrAppendFormat(&result, "\\x%02x", next);
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

int DisplayWidth(absl::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(),
                    [](unsigned char byte) { return !IsContinuation(byte); }));
}

std::string PadRight(absl::string_view text, int width) {
  const int missing = std::max(0, width - DisplayWidth(text));
  return absl::StrCat(text, std::string(missing, ' '));
}

std::string PadLeft(absl::string_view text, int width) {
  const int missing = std::max(0, width - DisplayWidth(text));
  return absl::StrCat(std::string(missing, ' '), text);
}

std::string WithThousands(int64_t value) {
  const std::string digits = absl::StrCat(value);
  const size_t first = value < 0 ? 1 : 0;
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string Significant(double value) {
  const double magnitude = std::abs(value);
  // Bounds just under the power of ten, so that rounding adds no digit.
  if (magnitude < 9.995) return absl::StrFormat("%.2f", value);
  if (magnitude < 99.95) return absl::StrFormat("%.1f", value);
  return WithThousands(std::llround(value));
}

std::string FormatMilliseconds(double milliseconds) {
  if (milliseconds >= 10000) {
    return absl::StrCat(Significant(milliseconds / 1000), " s");
  }
  return absl::StrCat(Significant(milliseconds), " ms");
}

std::string FormatSeconds(double seconds) {
  if (seconds < 100) return absl::StrCat(Significant(seconds), " s");
  const int64_t whole = std::llround(seconds);
  return absl::StrFormat("%d:%02d min", whole / 60, whole % 60);
}

std::string FormatPercent(double fraction) {
  return absl::StrFormat("%.1f %%", 100 * fraction);
}

std::string Bar(double fraction, int cells) {
  static constexpr absl::string_view kEighths[] = {"",  "▏", "▎", "▍",
                                                   "▌", "▋", "▊", "▉"};
  const int eighths =
      static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * 8 * cells));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  absl::StrAppend(&bar, kEighths[eighths % 8]);
  return PadRight(bar, cells);
}

}  // namespace groupmamba::client
