#include "server/line_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

using ::testing::HasSubstr;

class LineWriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<LineWriter> Open(const std::string& path) {
    auto writer = LineWriter::Open(path);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }

  testing::TempDir folder_;
};

TEST_F(LineWriterTest, AddsWholeLinesInOrder) {
  const std::string path = folder_.Write("log", "earlier\n");
  const auto writer = Open(path);
  for (int i = 0; i < 1000; ++i) writer->Write(std::to_string(i));
  writer->Flush();
  std::string expected = "earlier\n";
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(testing::ReadFileForTest(path), expected);
  EXPECT_EQ(writer->dropped(), 0u);
}

TEST_F(LineWriterTest, TheEndWritesWhatWaits) {
  const std::string path = folder_.Path("log");
  Open(path)->Write("last");
  EXPECT_EQ(testing::ReadFileForTest(path), "last\n");
}

TEST_F(LineWriterTest, APipeThatNobodyReadsHoldsUpNobody) {
  signal(SIGPIPE, SIG_IGN);
  const std::string path = folder_.Path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  const std::string line(1023, 'x');
  constexpr size_t kLines = 2 * LineWriter::kMaxWaiting / 1024 + 1000;
  {
    const auto writer = Open(path);
    for (size_t i = 0; i < kLines; ++i) writer->Write(line);
    EXPECT_GT(writer->dropped(), 0u)
        << "more than may wait beside what is being written";
    // Its destructor gives up on the rest.
  }
  close(reader);
}

TEST_F(LineWriterTest, AFullDiskCostsTheLinesAndIsCounted) {
  const auto writer = Open("/dev/full");
  writer->Write("one");
  writer->Write("two");
  writer->Flush();
  EXPECT_EQ(writer->dropped(), 2u);
}

TEST_F(LineWriterTest, APipeThatIsClosedCostsTheLinesAndIsCounted) {
  signal(SIGPIPE, SIG_IGN);
  const std::string path = folder_.Path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  const auto writer = Open(path);
  close(reader);
  writer->Write("one");
  writer->Flush();
  EXPECT_EQ(writer->dropped(), 1u);
}

TEST_F(LineWriterTest, WhatCannotBeOpenedIsNamed) {
  const auto writer = LineWriter::Open(folder_.Path("no/log"));
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(writer.status().message()), HasSubstr("no/log"));
}

}  // namespace
}  // namespace groupmamba
