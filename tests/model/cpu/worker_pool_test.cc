#include "model/cpu/worker_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/mutex.h"

namespace groupmamba::cpu {
namespace {

TEST(WorkerPoolTest, EveryPieceIsDoneOnceBeforeTheCallEnds) {
  for (const int size : {1, 2, 5}) {
    WorkerPool pool(size);
    EXPECT_EQ(pool.size(), size);
    for (const int64_t count : {0, 1, 2, 3, 100, 1000}) {
      std::vector<int> done(count);
      pool.For(count, [&](int64_t index, int) { ++done[index]; });
      EXPECT_EQ(done, std::vector<int>(count, 1)) << size << " " << count;
    }
  }
}

TEST(WorkerPoolTest, NoTwoThreadsAtWorkHaveTheSameNumber) {
  constexpr int kSize = 4;
  WorkerPool pool(kSize);
  std::vector<std::atomic<bool>> busy(kSize);
  std::atomic<int> collisions = 0;
  for (int call = 0; call < 200; ++call) {
    pool.For(20, [&](int64_t, int worker) {
      ASSERT_LT(worker, kSize);
      if (busy[worker].exchange(true)) ++collisions;
      busy[worker] = false;
    });
  }
  EXPECT_EQ(collisions, 0);
}

// Two pieces that wait for each other end only where two threads work at once.
TEST(WorkerPoolTest, PiecesRunAtTheSameTime) {
  WorkerPool pool(2);
  Mutex mutex;
  CondVar arrival;
  int arrived = 0;
  std::set<int> workers;
  pool.For(2, [&](int64_t, int worker) {
    MutexLock lock(&mutex);
    workers.insert(worker);
    ++arrived;
    arrival.NotifyAll();
    while (arrived < 2) arrival.Wait(&mutex);
  });
  EXPECT_EQ(workers, (std::set<int>{0, 1}));
}

TEST(WorkerPoolTest, ManyShortCallsInARowLoseNothing) {
  WorkerPool pool(3);
  std::atomic<int64_t> sum = 0;
  for (int call = 0; call < 20'000; ++call) {
    pool.For(3, [&](int64_t index, int) { sum += index; });
  }
  EXPECT_EQ(sum, 20'000 * 3);
}

TEST(WorkerPoolTest, AnIdlePoolEnds) {
  for (int i = 0; i < 50; ++i) WorkerPool pool(4);
}

}  // namespace
}  // namespace groupmamba::cpu
