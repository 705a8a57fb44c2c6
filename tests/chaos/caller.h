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

// Send and Cancel come from one thread.
class Caller {
 public:
  // `schedule` must outlive it.
  Caller(const std::string& address, const Schedule* schedule);
  ~Caller();

  // By the call's place in the schedule.
  void Send(size_t index);
  void Cancel(size_t index);

  // Waits until every call has ended.
  std::vector<Entry> AwaitAll();

  // Answers that name another request's id or CRC, or calls that ended twice.
  int mixed_up() const;

 private:
  struct Call;
  void Ended(size_t index, const grpc::Status& status);

  const Schedule& schedule_;
  const std::unique_ptr<v1::Classifier::Stub> stub_;
  std::vector<std::unique_ptr<Call>> calls_;  // by index

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  int mixed_up_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_CALLER_H_
