// The executor catches each kind of fault, and lets sound kernels pass.

#include "tests/testing/cuda_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace groupmamba::testing {
namespace {

using cuda::Word4;
using ::testing::HasSubstr;
using Ctx = ExecutorContext;

constexpr Order kOrders[] = {Order::kForward, Order::kReverse,
                             Order::kShuffled};

std::string Launch(const LaunchShape& shape, void (*body)(const Ctx&),
                   const ExecutorOptions& options = {}) {
  CudaExecutor executor;
  return executor.Launch(shape, options, body);
}

// Each thread reads what its neighbour wrote.
void Neighbours(const Ctx& ctx) {
  ctx.StoreShared(4 * ctx.Thread(), 1.0f * ctx.Thread());
  ctx.Barrier<3>();
  const int other = (ctx.Thread() + 1) % ctx.Threads();
  EXPECT_EQ(ctx.LoadShared<float>(4 * other), other);
}

TEST(CudaExecutor, ASoundKernelPassesInEveryOrder) {
  for (Order order : kOrders) {
    EXPECT_EQ(Launch({3, 96, 384}, Neighbours, {.order = order}), "");
  }
}

TEST(CudaExecutor, ARemovedBarrierIsARace) {
  for (Order order : kOrders) {
    EXPECT_THAT(Launch({1, 96, 384}, Neighbours,
                       {.order = order, .removed_barrier = 3}),
                ::testing::AnyOf(HasSubstr("race"), HasSubstr("nobody wrote")));
  }
}

TEST(CudaExecutor, OtherBarriersStayWhenOneIsRemoved) {
  EXPECT_EQ(Launch({1, 96, 384}, Neighbours, {.removed_barrier = 2}), "");
}

TEST(CudaExecutor, WritingWhatOthersReadWithoutABarrierIsARace) {
  EXPECT_THAT(Launch({1, 32, 128},
                     [](const Ctx& ctx) {
                       ctx.StoreShared(4 * ctx.Thread(), 1.0f);
                       ctx.Barrier<0>();
                       ctx.LoadShared<float>(0);
                       if (ctx.Thread() == 31) ctx.StoreShared(0, 2.0f);
                     }),
              HasSubstr("race in shared memory with a read"));
}

TEST(CudaExecutor, ABarrierThatSomeThreadsSkipIsDivergent) {
  EXPECT_THAT(Launch({1, 64, 0},
                     [](const Ctx& ctx) {
                       if (ctx.Thread() < 32) ctx.Barrier<0>();
                     }),
              HasSubstr("divergent barrier"));
}

TEST(CudaExecutor, TwoBarriersAtOnceAreDivergent) {
  EXPECT_THAT(Launch({1, 64, 0},
                     [](const Ctx& ctx) {
                       if (ctx.Thread() < 32) {
                         ctx.Barrier<0>();
                       } else {
                         ctx.Barrier<1>();
                       }
                     }),
              HasSubstr("divergent barrier"));
}

TEST(CudaExecutor, AShuffleOfPartOfAWarpIsCaught) {
  EXPECT_THAT(Launch({1, 32, 0},
                     [](const Ctx& ctx) {
                       if (ctx.Thread() != 7) ctx.ShuffleXor(1.0f, 1);
                     }),
              HasSubstr("partial warp"));
}

TEST(CudaExecutor, ShufflesExchangeLanesOfOneWarp) {
  for (Order order : kOrders) {
    EXPECT_EQ(Launch({1, 64, 0},
                     [](const Ctx& ctx) {
                       for (int mask : {1, 16, 5}) {
                         const auto own = static_cast<float>(ctx.Thread());
                         EXPECT_EQ(ctx.ShuffleXor(own, mask),
                                   ctx.Thread() ^ mask);
                       }
                     },
                     {.order = order}),
              "");
  }
}

TEST(CudaExecutor, AnOverrunOfSharedMemoryIsCaught) {
  EXPECT_THAT(
      Launch({1, 32, 124},
             [](const Ctx& ctx) { ctx.StoreShared(4 * ctx.Thread(), 0.0f); }),
      HasSubstr("overruns"));
}

TEST(CudaExecutor, AMisalignedSharedAccessIsCaught) {
  EXPECT_THAT(Launch({1, 32, 64},
                     [](const Ctx& ctx) {
                       if (ctx.Thread() == 0) ctx.StoreShared(8, Word4{});
                     }),
              HasSubstr("misaligned"));
}

TEST(CudaExecutor, ReadingUnwrittenSharedMemoryIsCaughtInEveryBlock) {
  EXPECT_THAT(Launch({2, 32, 128},
                     [](const Ctx& ctx) {
                       if (ctx.Block() == 0) {
                         ctx.StoreShared(4 * ctx.Thread(), 0.0f);
                       } else {
                         ctx.LoadShared<float>(4 * ctx.Thread());
                       }
                     }),
              HasSubstr("block 1, thread 0: reads shared memory"));
}

TEST(CudaExecutor, BlocksOfOddSizesAreRefused) {
  EXPECT_NE(Launch({1, 33, 0}, [](const Ctx&) {}), "");
  EXPECT_NE(Launch({1, 0, 0}, [](const Ctx&) {}), "");
  EXPECT_NE(Launch({1, 1056, 0}, [](const Ctx&) {}), "");
}

class GlobalMemory : public ::testing::Test {
 protected:
  template <class Body>
  std::string Run(Body body) {
    return executor_.Launch({1, 32, 0}, {}, [&](const Ctx& ctx) {
      if (ctx.Thread() == 0) body(ctx);
    });
  }

  std::vector<Word4> in_ = std::vector<Word4>(4);
  std::vector<float> out_ = std::vector<float>(16);
  std::vector<uint64_t> words_ = std::vector<uint64_t>(2);
  Word4 not_registered_ = {};
  CudaExecutor executor_;
  int in_number_ = executor_.Input(in_);
  int out_number_ = executor_.Output(out_);
  int words_number_ = executor_.Scratch(words_);
};

TEST_F(GlobalMemory, OverrunsAreCaught) {
  EXPECT_THAT(Run([&](const Ctx& ctx) { ctx.LoadGlobal(&not_registered_); }),
              HasSubstr("outside"));
  EXPECT_THAT(Run([&](const Ctx& ctx) {
                const auto* at = reinterpret_cast<const char*>(in_.data()) + 56;
                ctx.LoadGlobal(reinterpret_cast<const Word4*>(at));
              }),
              HasSubstr("overruns"));
}

TEST_F(GlobalMemory, MisalignedLoadsAreCaught) {
  EXPECT_THAT(Run([&](const Ctx& ctx) {
                const auto* at = reinterpret_cast<const char*>(in_.data()) + 8;
                ctx.LoadGlobal(reinterpret_cast<const Word4*>(at));
              }),
              HasSubstr("misaligned"));
}

TEST_F(GlobalMemory, InputsAreNotWrittenAndOutputsOnlyOnce) {
  EXPECT_THAT(Run([&](const Ctx& ctx) { ctx.StoreGlobal(in_.data(), {}); }),
              HasSubstr("writes an input"));
  EXPECT_THAT(Run([&](const Ctx& ctx) {
                ctx.StoreGlobal(out_.data(), 1.0f);
                ctx.StoreGlobal(out_.data(), 1.0f);
              }),
              HasSubstr("twice"));
}

TEST_F(GlobalMemory, TrafficIsCountedBySectorsThatABlockTouches) {
  EXPECT_EQ(executor_.Launch({2, 32, 0}, {},
                             [&](const Ctx& ctx) {
                               ctx.LoadGlobal(in_.data());
                               if (ctx.Thread() == 0) {
                                 ctx.StoreGlobal(out_.data() + ctx.Block(),
                                                 1.0f);
                               }
                             }),
            "");
  EXPECT_EQ(executor_.traffic(in_number_).loaded_by_blocks, 64);
  EXPECT_EQ(executor_.traffic(in_number_).loaded_distinct, 32);
  EXPECT_EQ(executor_.traffic(out_number_).stored, 8);
  EXPECT_EQ(executor_.traffic(out_number_).narrow, 2);
  EXPECT_FALSE(executor_.WroteAllOf(out_number_));
}

TEST_F(GlobalMemory, ValuesPassFromABlockToALaterOneAndLeaveTheirWordEmpty) {
  EXPECT_EQ(executor_.Launch({2, 32, 0}, {},
                             [&](const Ctx& ctx) {
                               if (ctx.Thread() != 0) return;
                               if (ctx.Block() == 0) {
                                 ctx.Publish(&words_[0], 0.0f);
                               } else {
                                 EXPECT_EQ(ctx.Take(&words_[0]), 0.0f);
                               }
                             }),
            "");
  EXPECT_EQ(words_[0], 0u);
}

TEST_F(GlobalMemory, WaitingForWhatNobodyPublishesIsCaught) {
  EXPECT_THAT(Run([&](const Ctx& ctx) { ctx.Take(&words_[1]); }),
              HasSubstr("waits"));
}

TEST_F(GlobalMemory, TicketsCountTheBlocksAndBeginAnew) {
  std::vector<uint32_t> counter(1);
  executor_.Scratch(counter);
  std::vector<uint32_t> seen;
  EXPECT_EQ(
      executor_.Launch({3, 32, 0}, {.order = Order::kReverse},
                       [&](const Ctx& ctx) {
                         if (ctx.Thread() != 0) return;
                         seen.push_back(ctx.NextTicket(counter.data(), 3));
                       }),
      "");
  EXPECT_THAT(seen, ::testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(counter[0], 0u);
}

TEST(CudaExecutor, Bf16IsRoundedToNearestEven) {
  EXPECT_EQ(
      Launch({1, 32, 0},
             [](const Ctx& ctx) {
               EXPECT_EQ(ctx.PackBf16(1.0f, -2.0f), 0xc0003f80u);
               EXPECT_EQ(ctx.PackBf16(1.00390625f, 1.01171875f), 0x3f823f80u);
               EXPECT_EQ(ctx.PackBf16(std::nanf(""), 0) & 0x7fffu, 0x7fffu);
             }),
      "");
}

}  // namespace
}  // namespace groupmamba::testing
