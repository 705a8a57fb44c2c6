#include "model/training/event_file.h"

#include <string>

#include "gtest/gtest.h"

namespace groupmamba::training {
namespace {

std::string CountingUp(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

// RFC 3720, appendix B.4, and the check value that every table of CRCs has.
TEST(Crc32c, HasThePublishedValues) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(CountingUp(32)), 0x46DD794Eu);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(FrameRecord, HasLengthItsCrcTheBytesAndTheirCrc) {
  const std::string record = FrameRecord("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  const uint32_t crc = Crc32c("abc");
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<uint8_t>(record[15 + i]), (masked >> (8 * i)) & 0xFF);
  }
}

}  // namespace
}  // namespace groupmamba::training
