#include "server/health.h"

#include <utility>

#include "server/grpc_status.h"
#include "server/status_map.h"

namespace groupmamba {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One Watch call. At any time at most one operation of it is under way, a write
// or the finish. Whoever changes `busy_` from false to true, under the
// service's lock, starts the operation, outside it.
class HealthService::Watcher final
    : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService* service, std::string name)
      : service_(service), name_(std::move(name)) {}

  enum class Next { kNothing, kWrite, kFinish };

  // What is to be done; the caller does it with Run, without the lock.
  Next Claim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_->mutex_) {
    if (busy_) return Next::kNothing;
    if (cancelled_ || service_->ended_) {
      busy_ = true;
      return Next::kFinish;
    }
    const Status status = service_->StatusOf(name_);
    if (status == response_.status()) return Next::kNothing;
    response_.set_status(status);
    busy_ = true;
    return Next::kWrite;
  }

  // For the service itself, which holds its own lock; the analysis cannot see
  // that service_ is the caller.
  Next ClaimForService() ABSL_NO_THREAD_SAFETY_ANALYSIS { return Claim(); }

  void Run(Next next) {
    if (next == Next::kWrite) {
      StartWrite(&response_);
    } else if (next == Next::kFinish) {
      Finish(ToGrpcStatus(Error(Reason::kDraining)));
    }
  }

  void OnWriteDone(bool ok) override {
    Next next;
    {
      MutexLock lock(&service_->mutex_);
      busy_ = false;
      if (!ok) cancelled_ = true;
      next = Claim();
    }
    Run(next);
  }

  void OnCancel() override {
    Next next;
    {
      MutexLock lock(&service_->mutex_);
      cancelled_ = true;
      next = Claim();
    }
    Run(next);
  }

  void OnDone() override {
    {
      MutexLock lock(&service_->mutex_);
      service_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  HealthService* const service_;
  const std::string name_;
  // Begins as UNKNOWN, which is never sent. Written only by who made busy_
  // true.
  HealthCheckResponse response_;
  bool busy_ ABSL_GUARDED_BY(service_->mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(service_->mutex_) = false;
};

HealthService::HealthService(const std::vector<std::string>& services) {
  MutexLock lock(&mutex_);
  for (const std::string& service : services) {
    statuses_[service] = HealthCheckResponse::NOT_SERVING;
  }
}

void HealthService::Set(const std::string& service, bool serving) {
  {
    MutexLock lock(&mutex_);
    if (draining_) return;
    statuses_[service] = serving ? HealthCheckResponse::SERVING
                                 : HealthCheckResponse::NOT_SERVING;
  }
  UpdateWatchers();
}

bool HealthService::IsServing(const std::string& service) const {
  MutexLock lock(&mutex_);
  return StatusOf(service) == HealthCheckResponse::SERVING;
}

void HealthService::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    for (auto& [service, status] : statuses_) {
      status = HealthCheckResponse::NOT_SERVING;
    }
  }
  UpdateWatchers();
}

void HealthService::EndWatches() {
  {
    MutexLock lock(&mutex_);
    ended_ = true;
  }
  UpdateWatchers();
}

void HealthService::UpdateWatchers() {
  // A watcher that was claimed cannot go away before its operation has run.
  std::vector<std::pair<Watcher*, Watcher::Next>> claimed;
  {
    MutexLock lock(&mutex_);
    for (Watcher* watcher : watchers_) {
      const Watcher::Next next = watcher->ClaimForService();
      if (next != Watcher::Next::kNothing) claimed.emplace_back(watcher, next);
    }
  }
  for (const auto& [watcher, next] : claimed) watcher->Run(next);
}

HealthService::Status HealthService::StatusOf(
    const std::string& service) const {
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN
                                  : found->second;
}

grpc::ServerUnaryReactor* HealthService::Check(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request,
    HealthCheckResponse* response) {
  Status status;
  {
    MutexLock lock(&mutex_);
    status = StatusOf(request->service());
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND,
                                 "unknown_service: no such service here"));
  } else {
    response->set_status(status);
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext*, const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, request->service());
  Watcher::Next next;
  {
    MutexLock lock(&mutex_);
    watchers_.insert(watcher);
    next = watcher->ClaimForService();
  }
  watcher->Run(next);
  return watcher;
}

}  // namespace groupmamba
