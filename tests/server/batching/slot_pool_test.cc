#include "server/batching/slot_pool.h"

#include <utility>

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

TEST(SlotPoolTest, GivesSlotsOfItsSizeUntilAllAreOut) {
  SlotPool pool(12, 2);
  const Slot a = pool.Acquire();
  const Slot b = pool.Acquire();
  ASSERT_TRUE(a);
  ASSERT_TRUE(b);
  EXPECT_EQ(a.bytes().size(), 12u);
  EXPECT_NE(a.bytes().data(), b.bytes().data());
  EXPECT_FALSE(pool.Acquire());
  EXPECT_EQ(pool.in_use(), 2);
}

TEST(SlotPoolTest, ASlotReturnsWhenItIsDestroyedAndItsMemoryIsUsedAgain) {
  SlotPool pool(12, 1);
  const uint8_t* memory = nullptr;
  {
    const Slot slot = pool.Acquire();
    memory = slot.bytes().data();
  }
  EXPECT_EQ(pool.in_use(), 0);
  const Slot again = pool.Acquire();
  EXPECT_EQ(again.bytes().data(), memory);
}

TEST(SlotPoolTest, AllocatesAsItIsToldAndOnlyWhatItNeeds) {
  static uint8_t memory[12];
  static int freed = 0;
  int allocated = 0;
  {
    SlotPool pool(12, 2, [&](size_t bytes) {
      EXPECT_EQ(bytes, 12u);
      ++allocated;
      return PictureMemory(memory, [](uint8_t*) { ++freed; });
    });
    EXPECT_EQ(pool.Acquire().bytes().data(), memory);
    EXPECT_EQ(pool.Acquire().bytes().data(), memory);
    EXPECT_EQ(allocated, 1);
  }
  EXPECT_EQ(freed, 1);
}

TEST(SlotPoolTest, AMovedSlotReturnsOnce) {
  SlotPool pool(12, 2);
  {
    Slot a = pool.Acquire();
    Slot b = std::move(a);
    EXPECT_EQ(pool.in_use(), 1);
    a = pool.Acquire();
    EXPECT_EQ(pool.in_use(), 2);
    a = std::move(b);
    EXPECT_EQ(pool.in_use(), 1);
  }
  EXPECT_EQ(pool.in_use(), 0);
}

TEST(SlotPoolTest, AnEmptySlotHoldsNothing) {
  const Slot slot;
  EXPECT_FALSE(slot);
  EXPECT_TRUE(slot.bytes().empty());
}

}  // namespace
}  // namespace groupmamba
