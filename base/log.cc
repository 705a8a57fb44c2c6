#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <type_traits>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "nlohmann/json.hpp"

namespace groupmamba {
namespace {

std::atomic<LogFormat> g_format{LogFormat::kText};
std::atomic<LogLevel> g_minimum{LogLevel::kInfo};
std::atomic<uint64_t> g_lines_lost{0};

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string FormatTime(int64_t wall_time_ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ",
                          absl::FromUnixMillis(wall_time_ms),
                          absl::UTCTimeZone());
}

// A value as text; quoted where it would otherwise blur with its neighbours,
// and escaped so that nothing from outside can start a line of its own.
std::string TextValue(const LogField& field) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          std::string escaped = absl::CHexEscape(value);
          if (escaped.empty() || escaped.find(' ') != std::string::npos ||
              escaped != value) {
            return absl::StrCat("\"", escaped, "\"");
          }
          return escaped;
        } else if constexpr (std::is_same_v<T, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, double>) {
          return absl::StrFormat("%.6g", value);
        } else {
          return absl::StrCat(value);
        }
      },
      field.value);
}

}  // namespace

void SetLogOptions(LogFormat format, LogLevel minimum) {
  g_format = format;
  g_minimum = minimum;
}

std::string FormatLogLine(LogFormat format, int64_t wall_time_ms,
                          LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields) {
  if (format == LogFormat::kText) {
    std::string line =
        absl::StrCat(FormatTime(wall_time_ms), " ",
                     absl::AsciiStrToUpper(LevelName(level)), " ", event);
    for (const LogField& field : fields) {
      absl::StrAppend(&line, " ", field.key, "=", TextValue(field));
    }
    return line;
  }
  nlohmann::ordered_json object = {{"time", FormatTime(wall_time_ms)},
                                   {"level", LevelName(level)},
                                   {"event", std::string(event)}};
  for (const LogField& field : fields) {
    std::visit([&](const auto& v) { object[std::string(field.key)] = v; },
               field.value);
  }
  // Bytes that are not UTF-8 are replaced: a log line never throws.
  return object.dump(-1, ' ', false,
                     nlohmann::ordered_json::error_handler_t::replace);
}

bool IsLogged(LogLevel level) {
  return level >= g_minimum.load(std::memory_order_relaxed);
}

void Log(LogLevel level, absl::string_view event,
         std::initializer_list<LogField> fields) {
  if (!IsLogged(level)) return;
  std::string line =
      FormatLogLine(g_format.load(std::memory_order_relaxed),
                    absl::ToUnixMillis(absl::Now()), level, event, fields);
  line.push_back('\n');
  // A pipe with room takes PIPE_BUF bytes at once; one writer at a time, so
  // that nobody takes that room in between.
  static auto* mutex = new Mutex;
  MutexLock lock(mutex);
  pollfd standard_error = {
      .fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&standard_error, 1, 0) != 1 ||
      write(STDERR_FILENO, line.data(), line.size()) !=
          static_cast<ssize_t>(line.size())) {
    g_lines_lost.fetch_add(1, std::memory_order_relaxed);
  }
}

uint64_t LogLinesLost() { return g_lines_lost.load(std::memory_order_relaxed); }

}  // namespace groupmamba
