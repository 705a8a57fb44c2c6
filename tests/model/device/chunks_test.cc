// A batch that the memory cannot hold goes in smaller pieces.
#include "model/device/chunks.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace groupmamba::device {
namespace {

using Pieces = std::vector<std::pair<int64_t, int64_t>>;

// A device that can hold `room` pictures at once.
class Device {
 public:
  explicit Device(int64_t room) : room_(room) {}

  Pieces Run(int64_t count, int64_t* chunk) {
    pieces_.clear();
    RunInChunks(
        count, chunk,
        [this](int64_t first, int64_t n) {
          TORCH_CHECK_WITH(OutOfMemoryError, n <= room_, "memory is out");
          pieces_.emplace_back(first, n);
        },
        [this] {
          pieces_.clear();
          ++freed_;
        });
    return pieces_;
  }
  int freed() const { return freed_; }

 private:
  const int64_t room_;
  Pieces pieces_;
  int freed_ = 0;
};

TEST(RunInChunks, CutsIntoPiecesOfTheChunksSize) {
  Device device(100);
  int64_t chunk = 4;
  EXPECT_EQ(device.Run(9, &chunk), (Pieces{{0, 4}, {4, 4}, {8, 1}}));
  EXPECT_EQ(device.Run(0, &chunk), Pieces());
  EXPECT_EQ(device.freed(), 0);
}

TEST(RunInChunks, HalvesUntilItFitsAndRemembersIt) {
  Device device(3);
  int64_t chunk = 64;
  EXPECT_EQ(device.Run(10, &chunk), (Pieces{{0, 3}, {3, 3}, {6, 3}, {9, 1}}));
  EXPECT_EQ(chunk, 3);
  EXPECT_EQ(device.freed(), 2);
  EXPECT_EQ(device.Run(4, &chunk), (Pieces{{0, 3}, {3, 1}}));
  EXPECT_EQ(device.freed(), 2);
}

TEST(RunInChunks, ThrowsWhereOnePictureIsTooMany) {
  Device device(0);
  int64_t chunk = 64;
  EXPECT_THROW(device.Run(10, &chunk), c10::OutOfMemoryError);
  EXPECT_EQ(chunk, 1);
}

TEST(RunInChunks, OtherErrorsAreNotTriedAgain) {
  int64_t chunk = 64;
  int runs = 0;
  EXPECT_THROW(RunInChunks(
                   10, &chunk,
                   [&](int64_t, int64_t) {
                     ++runs;
                     TORCH_CHECK(false, "another error");
                   },
                   [] {}),
               c10::Error);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(chunk, 64);
}

}  // namespace
}  // namespace groupmamba::device
