#include "tests/chaos/caller.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <zlib.h>

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupmamba::chaos {
namespace {

uint32_t CrcOf(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

struct Caller::Call {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  std::string id;
  uint32_t crc = 0;
  bool ended = false;
};

Caller::Caller(const std::string& address, const Schedule* schedule)
    : schedule_(*schedule),
      stub_(v1::Classifier::NewStub(
          grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
      calls_(schedule->calls.size()) {}

Caller::~Caller() = default;

void Caller::Send(size_t index) {
  const PlannedCall& planned = schedule_.calls[index];
  calls_[index] = std::make_unique<Call>();
  Call* const call = calls_[index].get();
  call->id = absl::StrCat("chaos-", index);
  call->crc = CrcOf(planned.request.SerializeAsString());
  call->context.AddMetadata("x-request-id", call->id);
  call->context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          planned.deadline));
  {
    MutexLock lock(&mutex_);
    ++in_flight_;
  }
  stub_->async()->Classify(
      &call->context, &planned.request, &call->response,
      [this, index](const grpc::Status& status) { Ended(index, status); });
}

void Caller::Cancel(size_t index) { calls_[index]->context.TryCancel(); }

void Caller::Ended(size_t index, const grpc::Status& status) {
  Call& call = *calls_[index];
  MutexLock lock(&mutex_);
  if (std::exchange(call.ended, true)) ++mixed_up_;
  if (status.ok() && (call.response.request_id() != call.id ||
                      call.response.request_crc32() != call.crc)) {
    ++mixed_up_;
  }
  entries_.push_back({.id = call.id,
                      .code = absl::StatusCodeToString(
                          static_cast<absl::StatusCode>(status.error_code())),
                      .version = call.response.version(),
                      .crc32 = absl::StrFormat("%08x", call.crc)});
  --in_flight_;
  changed_.NotifyAll();
}

std::vector<Entry> Caller::AwaitAll() {
  MutexLock lock(&mutex_);
  while (in_flight_ > 0) changed_.Wait(&mutex_);
  return entries_;
}

int Caller::mixed_up() const {
  MutexLock lock(&mutex_);
  return mixed_up_;
}

}  // namespace groupmamba::chaos
