// Diagnostics: one line an event on standard error, as text for people or as
// JSON for collectors. Results never come here; they go to standard output.
//
//   Log(LogLevel::kInfo, "listening", {{"address", "0.0.0.0:8001"}});
//   text:  2026-11-23T20:15:29.123Z INFO listening address=0.0.0.0:8001
//   json:  {"time":"...","level":"info","event":"listening","address":"..."}
//
// Thread-safe: a line is written by one write(2). A line that cannot be written
// (disk full, pipe closed, or full because nobody reads it) is counted and
// forgotten; serving goes on. Lines of up to 4 KiB never block.

#ifndef GROUPMAMBA_BASE_LOG_H_
#define GROUPMAMBA_BASE_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"

namespace groupmamba {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  absl::string_view key;
  std::variant<std::string, int64_t, double, bool> value;

  LogField(absl::string_view k, absl::string_view v)
      : key(k), value(std::string(v)) {}
  LogField(absl::string_view k, const char* v)
      : key(k), value(std::string(v)) {}
  LogField(absl::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(absl::string_view k, bool v) : key(k), value(v) {}
  LogField(absl::string_view k, double v) : key(k), value(v) {}
  LogField(absl::string_view k, int v) : key(k), value(int64_t{v}) {}
  LogField(absl::string_view k, int64_t v) : key(k), value(v) {}
  LogField(absl::string_view k, uint64_t v)
      : key(k), value(static_cast<int64_t>(v)) {}
};

// Set once in main, before threads start. The default: text, kInfo and above.
void SetLogOptions(LogFormat format, LogLevel minimum);

void Log(LogLevel level, absl::string_view event,
         std::initializer_list<LogField> fields = {});

// Whether Log would write such a line; for fields that are dear to make.
bool IsLogged(LogLevel level);

// The line without its end, for tests. `wall_time_ms`: milliseconds since 1970.
std::string FormatLogLine(LogFormat format, int64_t wall_time_ms,
                          LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields);

// How many lines could not be written since the start.
uint64_t LogLinesLost();

}  // namespace groupmamba

#endif  // GROUPMAMBA_BASE_LOG_H_
