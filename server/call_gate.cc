#include "server/call_gate.h"

#include <optional>

#include "absl/strings/match.h"
#include "base/log.h"

namespace groupmamba {

Scope ScopeOf(absl::string_view path, bool on_admin_listener) {
  if (absl::StartsWith(path, "/grpc.health.v1.Health/")) return Scope::kNone;
  if (on_admin_listener) return Scope::kAdmin;
  constexpr absl::string_view kV2 = "/inference.GRPCInferenceService/";
  if (absl::StartsWith(path, kV2)) {
    const absl::string_view method = path.substr(kV2.size());
    if (method == "RepositoryModelLoad" || method == "RepositoryModelUnload") {
      return Scope::kAdmin;
    }
  }
  return Scope::kClassify;
}

absl::Status CallGate::Check(absl::string_view path,
                             absl::string_view authorization) {
  const std::optional<Reason> reason =
      tokens_->Refuse(authorization, ScopeOf(path, on_admin_listener_));
  if (!reason.has_value()) return absl::OkStatus();
  metrics_->NotAllowed(*reason);
  LogRefusal(*reason);
  return Error(*reason);
}

void CallGate::LogRefusal(Reason reason) {
  const int64_t count = log_limit_.Count(clock_->Now());
  if (count == 0) return;
  Log(LogLevel::kWarning, "calls not allowed",
      {{"count", count},
       {"last", ReasonName(reason)},
       {"listener", on_admin_listener_ ? "admin" : "public"}});
}

}  // namespace groupmamba
