#include "client/text.h"

#include <gtest/gtest.h>

namespace groupmamba::client {
namespace {

TEST(TextTest, ControlCharactersCannotReachTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\n\x7f"), "a\\x1b[2Jb\\x0a\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // C1's own escape
}

TEST(TextTest, OtherCharactersStayAsTheyAre) {
  EXPECT_EQ(Printable("T-shirt, café, 猫, it's \"so\"\\"),
            "T-shirt, café, 猫, it's \"so\"\\");
  EXPECT_EQ(Printable("\xc2"), "\xc2");
}

TEST(TextTest, PaddingCountsCodePoints) {
  EXPECT_EQ(PadRight("café", 6), "café  ");
  EXPECT_EQ(PadLeft("café", 6), "  café");
  EXPECT_EQ(PadRight("longer", 3), "longer");
}

TEST(TextTest, ThousandsAreSeparated) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(-1234567), "-1,234,567");
  EXPECT_EQ(WithThousands(-123), "-123");
}

TEST(TextTest, NumbersKeepThreeSignificantDigits) {
  EXPECT_EQ(Significant(0), "0.00");
  EXPECT_EQ(Significant(1.234), "1.23");
  EXPECT_EQ(Significant(9.9949), "9.99");
  EXPECT_EQ(Significant(9.996), "10.0");
  EXPECT_EQ(Significant(99.94), "99.9");
  EXPECT_EQ(Significant(99.96), "100");
  EXPECT_EQ(Significant(1234.4), "1,234");
}

TEST(TextTest, TimesCarryTheirUnit) {
  EXPECT_EQ(FormatMilliseconds(12.345), "12.3 ms");
  EXPECT_EQ(FormatMilliseconds(9999), "9,999 ms");
  EXPECT_EQ(FormatMilliseconds(12345), "12.3 s");
  EXPECT_EQ(FormatSeconds(0.417), "0.42 s");
  EXPECT_EQ(FormatSeconds(99.5), "99.5 s");
  EXPECT_EQ(FormatSeconds(245.2), "4:05 min");
}

TEST(TextTest, ABarIsAsWideAsItsCellsWhateverTheFraction) {
  EXPECT_EQ(Bar(0, 4), "    ");
  EXPECT_EQ(Bar(0.5, 4), "██  ");
  EXPECT_EQ(Bar(0.40625, 4), "█▋  ");  // 13 of 32 eighths
  EXPECT_EQ(Bar(1, 4), "████");
  EXPECT_EQ(Bar(7, 4), "████");
  EXPECT_EQ(Bar(-1, 4), "    ");
}

}  // namespace
}  // namespace groupmamba::client
