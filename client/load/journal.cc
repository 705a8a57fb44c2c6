#include "client/load/journal.h"

#include <string>

#include "absl/strings/str_format.h"

namespace groupmamba::client {

Journal::Journal(std::ostream* out, const RequestMix* requests)
    : requests_(requests), out_(out) {
  MutexLock lock(&mutex_);
  *out_ << "id,planned_s,sent_s,done_s,code,version,crc32\n";
}

void Journal::Add(const CallRecord& call) {
  const auto seconds = [&call](TimePoint time) {
    return ToSeconds(time - call.start);
  };
  const std::string line =
      call.id < 0
          ? absl::StrFormat(",%.6f,,,DROPPED,0,\n", seconds(call.times.due))
          : absl::StrFormat("%s,%.6f,%.6f,%.6f,%s,%d,%08x\n",
                            requests_->RequestId(call.id),
                            seconds(call.times.due), seconds(call.times.sent),
                            seconds(call.times.done),
                            absl::StatusCodeToString(call.answer.code),
                            call.answer.version, requests_->Crc(call.id));
  MutexLock lock(&mutex_);
  *out_ << line;
}

}  // namespace groupmamba::client
