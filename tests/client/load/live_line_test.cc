#include "client/load/live_line.h"

#include <gtest/gtest.h>

#include <chrono>

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LiveLineTest, SaysHowTheRunGoes) {
  LoadSnapshot snapshot;
  snapshot.elapsed = seconds(3);
  snapshot.in_flight = 12;
  snapshot.ok_per_s = 198;
  for (int i = 0; i < 100; ++i) snapshot.latency.Record(milliseconds(10));
  EXPECT_EQ(LiveLine(snapshot, seconds(10)),
            "7.00 s left  198 OK/s  12 in flight  p50 10.0  p99 10.0 ms");
  snapshot.failed = 3;
  snapshot.dropped = 1234;
  EXPECT_EQ(LiveLine(snapshot, seconds(10)),
            "7.00 s left  198 OK/s  12 in flight  p50 10.0  p99 10.0 ms  3 "
            "failed, 1,234 dro");
}

TEST(LiveLineTest, NoAnswerIsNoLatency) {
  LoadSnapshot snapshot;
  snapshot.elapsed = seconds(11);
  EXPECT_EQ(LiveLine(snapshot, seconds(10)),
            "0.00 s left  0.00 OK/s  0 in flight  p50 -  p99 - ms");
}

}  // namespace
}  // namespace groupmamba::client
