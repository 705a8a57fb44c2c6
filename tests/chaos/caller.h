// Sends the calls of a schedule, cancels those that are to be cancelled, and
// keeps how each ended.

#ifndef GROUPMAMBA_TESTS_CHAOS_CALLER_H_
#define GROUPMAMBA_TESTS_CHAOS_CALLER_H_

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/schedule.h"

namespace groupmamba::chaos {

// Send, Cancel and Connect come from one thread.
class Caller {
 public:
  // `authority`: of the server's certificate, PEM. `schedule` must outlive it.
  Caller(std::string address, std::string authority, const Schedule* schedule);
  ~Caller();

  // Opens one more connection; calls take them in turns.
  void Connect();

  // By the call's place in the schedule.
  void Send(size_t index);
  void Cancel(size_t index);

  // Waits until every call has ended.
  std::vector<Entry> AwaitAll();

  // Answers that name another request's id or CRC or hold labels of another
  // version than they name, calls that ended twice, with INTERNAL for another
  // reason than a decoder's end, or with NOT_FOUND although they ask for
  // nothing that never was.
  int mixed_up() const;

 private:
  struct Call;
  void Ended(size_t index, const grpc::Status& status);

  const std::string address_;
  const std::string authority_;
  const Schedule& schedule_;
  std::vector<std::unique_ptr<v1::Classifier::Stub>> stubs_;
  std::vector<std::unique_ptr<Call>> calls_;  // by index

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  int mixed_up_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_CALLER_H_
