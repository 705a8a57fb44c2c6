#include "base/log.h"

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

// 2026-11-23T20:15:29.123Z
constexpr int64_t kTime = 1795464929123;

TEST(LogTest, TextLineHoldsTimeLevelEventAndFields) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, kTime, LogLevel::kInfo, "listening",
                          {{"port", 8001}, {"tls", false}, {"wait_s", 0.25}}),
            "2026-11-23T20:15:29.123Z INFO listening port=8001 tls=false "
            "wait_s=0.25");
}

TEST(LogTest, TextFieldCannotStartALineOfItsOwn) {
  std::string line = FormatLogLine(LogFormat::kText, kTime, LogLevel::kError,
                                   "call", {{"model", "x\nINFO forged a=b"}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("\"x\\nINFO forged a=b\""), std::string::npos) << line;
}

TEST(LogTest, JsonLineIsOneObjectWhateverTheBytes) {
  std::string line = FormatLogLine(LogFormat::kJson, kTime, LogLevel::kWarning,
                                   "call", {{"model", "a\"\n\xff"}, {"n", 3}});
  EXPECT_EQ(line,
            "{\"time\":\"2026-11-23T20:15:29.123Z\",\"level\":\"warning\","
            "\"event\":\"call\",\"model\":\"a\\\"\\n\xEF\xBF\xBD\",\"n\":3}");
}

}  // namespace
}  // namespace groupmamba
