#include "base/log.h"

#include <signal.h>
#include <unistd.h>

#include <string>

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

// Standard error as a pipe of ours while it lives.
class StandardErrorPipe {
 public:
  StandardErrorPipe() : saved_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe(ends_), 0);
    dup2(ends_[1], STDERR_FILENO);
    close(ends_[1]);
  }
  ~StandardErrorPipe() {
    CloseReader();
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }

 private:
  const int saved_;
  int ends_[2] = {-1, -1};
};

TEST(LogTest, APipeThatNobodyReadsCostsLinesAndHoldsUpNobody) {
  const uint64_t before = LogLinesLost();
  const std::string kilobyte(1000, 'x');
  {
    const StandardErrorPipe pipe;
    for (int i = 0; i < 1000; ++i) {
      Log(LogLevel::kInfo, "filling", {{"text", kilobyte}});
    }
  }
  EXPECT_GT(LogLinesLost() - before, 500u);
  EXPECT_LT(LogLinesLost() - before, 1000u);
}

TEST(LogTest, APipeThatIsClosedCostsLines) {
  signal(SIGPIPE, SIG_IGN);
  const uint64_t before = LogLinesLost();
  {
    StandardErrorPipe pipe;
    pipe.CloseReader();
    Log(LogLevel::kInfo, "nobody reads this");
  }
  EXPECT_EQ(LogLinesLost() - before, 1u);
}

}  // namespace
}  // namespace groupmamba
