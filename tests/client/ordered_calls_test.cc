#include "client/ordered_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

namespace groupmamba::client {
namespace {

using ::testing::ElementsAre;

TEST(RunInOrderTest, ResultsComeInOrderThoughJobsEndInReverse) {
  std::vector<std::function<void(int)>> started;
  std::vector<int> finished;
  RunInOrder<int>(
      6, 3,
      [&](size_t, std::function<void(int)> done) {
        started.push_back(std::move(done));
        // Ends each three jobs last first.
        if (started.size() % 3 == 0) {
          for (size_t i = started.size(); i-- > started.size() - 3;) {
            started[i](static_cast<int>(i) * 10);
          }
        }
      },
      [&](size_t i, int result) {
        EXPECT_EQ(result, static_cast<int>(i) * 10);
        finished.push_back(static_cast<int>(i));
        return true;
      });
  EXPECT_THAT(finished, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(RunInOrderTest, NoMoreThanTheWindowIsUnfinished) {
  int unfinished = 0;
  int most = 0;
  RunInOrder<int>(
      100, 4,
      [&](size_t i, std::function<void(int)> done) {
        most = std::max(most, ++unfinished);
        done(static_cast<int>(i));
      },
      [&](size_t, int) {
        --unfinished;
        return true;
      });
  EXPECT_EQ(most, 4);
  EXPECT_EQ(unfinished, 0);
}

TEST(RunInOrderTest, AfterAStopWhatWasStartedIsFinishedAndNothingMoreStarts) {
  std::vector<size_t> started;
  std::vector<size_t> finished;
  RunInOrder<int>(
      100, 4,
      [&](size_t i, std::function<void(int)> done) {
        started.push_back(i);
        done(0);
      },
      [&](size_t i, int) {
        finished.push_back(i);
        return false;
      });
  EXPECT_THAT(started, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(finished, ElementsAre(0, 1, 2, 3));
}

TEST(RunInOrderTest, NothingToDoReturnsAtOnce) {
  RunInOrder<int>(
      0, 4, [](size_t, std::function<void(int)>) { FAIL(); },
      [](size_t, int) { return true; });
}

TEST(RunInOrderTest, ResultsMayComeFromOtherThreads) {
  std::vector<std::thread> threads;
  int sum = 0;
  RunInOrder<int>(
      50, 8,
      [&](size_t i, std::function<void(int)> done) {
        threads.emplace_back(
            [i, done = std::move(done)] { done(static_cast<int>(i)); });
      },
      [&](size_t, int result) {
        sum += result;
        return true;
      });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 49 * 50 / 2);
}

}  // namespace
}  // namespace groupmamba::client
