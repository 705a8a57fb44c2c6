#include "client/load/journal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <sstream>

#include "client/load/arrivals.h"
#include "proto/groupmamba/v1/classifier.pb.h"

namespace groupmamba::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(JournalTest, HoldsOneLineACallAndIsATrace) {
  std::ostringstream out;
  v1::ClassifyRequest request;
  request.set_encoded("picture");
  LoadRequests requests;
  requests.Add(request);
  const RequestMix mix({requests}, 1, "run");
  Journal journal(&out, &mix);
  const TimePoint start{seconds(100)};
  CallRecord call{.id = 7,
                  .start = start,
                  .times = {.due = start + milliseconds(1500),
                            .sent = start + milliseconds(1501),
                            .done = start + milliseconds(1600)},
                  .answer = {}};
  call.answer.version = 3;
  journal.Add(call);
  call.id = 8;
  call.times.due += milliseconds(1);
  call.answer = {};
  call.answer.code = absl::StatusCode::kDeadlineExceeded;
  journal.Add(call);
  journal.Add({.id = -1,
               .start = start,
               .times = {.due = start + seconds(2)},
               .answer = {}});
  EXPECT_EQ(out.str(),
            "id,planned_s,sent_s,done_s,code,version,crc32\n"
            "run-7,1.500000,1.501000,1.600000,OK,3,5e9545af\n"
            "run-8,1.501000,1.501000,1.600000,DEADLINE_EXCEEDED,0,5e9545af\n"
            ",2.000000,,,DROPPED,0,\n");
  std::istringstream in(out.str());
  const auto trace = ReadTrace(&in);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(*trace, (Trace{milliseconds(1500), milliseconds(1501),
                           milliseconds(2000)}));
}

}  // namespace
}  // namespace groupmamba::client
