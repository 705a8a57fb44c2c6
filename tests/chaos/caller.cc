#include "tests/chaos/caller.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <zlib.h>

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace groupmamba::chaos {
namespace {

uint32_t CrcOf(const std::string& bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool IsOfItsVersion(const v1::ClassifyResponse& response) {
  for (const v1::Prediction& prediction : response.predictions()) {
    if (prediction.label() !=
        absl::StrCat("v", response.version(), ": ", prediction.index())) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct Caller::Call {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  std::string id;
  uint32_t crc = 0;
  bool ended = false;

  // Whether `request` can have ended so.
  bool Fits(const v1::ClassifyRequest& request,
            const grpc::Status& status) const {
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        return response.request_id() == id && response.request_crc32() == crc &&
               IsOfItsVersion(response);
      case grpc::StatusCode::INTERNAL:
        return absl::StartsWith(status.error_message(), "decoder_crash: ");
      case grpc::StatusCode::NOT_FOUND:
        return !request.model().empty() || request.version() != 0;
      default:
        return true;
    }
  }
};

Caller::Caller(std::string address, std::string authority,
               const Schedule* schedule)
    : address_(std::move(address)),
      authority_(std::move(authority)),
      schedule_(*schedule),
      calls_(schedule->calls.size()) {
  Connect();
}

Caller::~Caller() = default;

void Caller::Connect() {
  grpc::ChannelArguments arguments;
  // Or channels would share their connections.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = authority_;
  stubs_.push_back(v1::Classifier::NewStub(grpc::CreateCustomChannel(
      address_, grpc::SslCredentials(tls), arguments)));
}

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
  stubs_[index % stubs_.size()]->async()->Classify(
      &call->context, &planned.request, &call->response,
      [this, index](const grpc::Status& status) { Ended(index, status); });
}

void Caller::Cancel(size_t index) { calls_[index]->context.TryCancel(); }

void Caller::Ended(size_t index, const grpc::Status& status) {
  Call& call = *calls_[index];
  MutexLock lock(&mutex_);
  if (std::exchange(call.ended, true)) ++mixed_up_;
  if (!call.Fits(schedule_.calls[index].request, status)) ++mixed_up_;
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
