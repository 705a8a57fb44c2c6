#include "server/grpc_status.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/status_map.h"

namespace groupmamba {

static_assert(static_cast<int>(absl::StatusCode::kOk) == grpc::StatusCode::OK);
static_assert(static_cast<int>(absl::StatusCode::kResourceExhausted) ==
              grpc::StatusCode::RESOURCE_EXHAUSTED);
static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              grpc::StatusCode::UNAUTHENTICATED);

int64_t RetryPushbackMs(const absl::Status& refused) {
  constexpr int64_t kUnsaid = 50;
  const Duration pause = PauseOf(refused);
  return pause > Duration::zero()
             ? std::chrono::duration_cast<std::chrono::milliseconds>(pause)
                   .count()
             : kUnsaid;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  const absl::Status shown = ForClient(status);
  return {static_cast<grpc::StatusCode>(shown.raw_code()),
          std::string(shown.message())};
}

grpc::Status ToGrpcStatus(const absl::Status& status,
                          grpc::CallbackServerContext* context) {
  if (absl::IsResourceExhausted(status)) {
    context->AddTrailingMetadata("grpc-retry-pushback-ms",
                                 absl::StrCat(RetryPushbackMs(status)));
  }
  return ToGrpcStatus(status);
}

}  // namespace groupmamba
