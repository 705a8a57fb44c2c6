// grpc.health.v1: is the server, or one model, ready to answer? Our own rather
// than gRPC's, which calls a server that has just begun to listen SERVING.

#ifndef GROUPMAMBA_SERVER_HEALTH_H_
#define GROUPMAMBA_SERVER_HEALTH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"

namespace groupmamba {

// Thread-safe. Must outlive the gRPC server.
class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // The services of which it knows: "" and the names of the gRPC services for
  // the whole server, and names of models. All begin as NOT_SERVING.
  explicit HealthService(const std::vector<std::string>& services);

  // Tells the watchers. A service of which it did not know is known from now
  // on.
  void Set(const std::string& service, bool serving);

  // False for a service that it does not know, too.
  bool IsServing(const std::string& service) const;

  // NOT_SERVING for good, for every service.
  void Drain();

  // Ends all watches, now and later, with UNAVAILABLE, so that none of them
  // holds up the gRPC server's end.
  void EndWatches();

  // Unknown services: NOT_FOUND.
  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;

  // Sends the status now and whenever it changes; SERVICE_UNKNOWN for an
  // unknown service.
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class Watcher;

  // SERVICE_UNKNOWN for an unknown service.
  Status StatusOf(const std::string& service) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateWatchers();

  mutable Mutex mutex_;
  std::map<std::string, Status> statuses_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_HEALTH_H_
