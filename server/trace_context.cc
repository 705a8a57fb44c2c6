#include "server/trace_context.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

constexpr size_t kTraceDigits = 32;
constexpr size_t kSpanDigits = 16;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool IsZero(absl::string_view text) {
  return text.find_first_not_of('0') == absl::string_view::npos;
}

int ValueOf(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

std::string Hex(uint64_t number) {
  return absl::StrCat(absl::Hex(number, absl::kZeroPad16));
}

}  // namespace

bool IsSaneRequestId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestId &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::string_view("-._:/+=@~").find(c) !=
                      absl::string_view::npos;
         });
}

TraceContext ParseTraceparent(absl::string_view header) {
  // version "-" trace "-" parent "-" flags: 00-...-...-01
  constexpr size_t kTrace = 3;
  constexpr size_t kParent = kTrace + kTraceDigits + 1;
  constexpr size_t kFlags = kParent + kSpanDigits + 1;
  constexpr size_t kEnd = kFlags + 2;
  if (header.size() < kEnd || header[kTrace - 1] != '-' ||
      header[kParent - 1] != '-' || header[kFlags - 1] != '-') {
    return {};
  }
  const absl::string_view version = header.substr(0, 2);
  const absl::string_view trace = header.substr(kTrace, kTraceDigits);
  const absl::string_view parent = header.substr(kParent, kSpanDigits);
  const absl::string_view flags = header.substr(kFlags, 2);
  if (!IsHex(version) || !IsHex(trace) || !IsHex(parent) || !IsHex(flags) ||
      IsZero(trace) || IsZero(parent) || version == "ff") {
    return {};
  }
  // A later version may hold more after a dash; this one nothing.
  if (header.size() > kEnd && (version == "00" || header[kEnd] != '-')) {
    return {};
  }
  return {.trace_id = std::string(trace),
          .parent_id = std::string(parent),
          .sampled = (ValueOf(flags[1]) & 1) != 0};
}

// SplitMix64: a bijection of a counter, so that nothing comes twice.
uint64_t Names::Next() {
  while (true) {
    uint64_t z = next_.fetch_add(0x9E3779B97F4A7C15) + 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    if (z != 0) return z;
  }
}

std::string Names::TraceId() { return absl::StrCat(Hex(Next()), Hex(Next())); }

std::string Names::SpanId() { return Hex(Next()); }

bool Names::Draw(double share) {
  constexpr double kRange = 18446744073709551616.0;  // 2^64
  return static_cast<double>(Next()) < share * kRange;
}

}  // namespace groupmamba
