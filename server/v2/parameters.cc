#include "server/v2/parameters.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "server/status_map.h"

namespace groupmamba::v2 {
namespace {

using inference::InferParameter;

// Longer than any deadline that the server grants.
constexpr uint64_t kLongestTimeoutUs = uint64_t{24} * 3600 * 1000 * 1000;

// A count, in either of the two types that clients send.
absl::StatusOr<uint64_t> Count(const InferParameter& parameter,
                               absl::string_view sentence) {
  if (parameter.has_uint64_param()) return parameter.uint64_param();
  if (parameter.has_int64_param() && parameter.int64_param() >= 0) {
    return static_cast<uint64_t>(parameter.int64_param());
  }
  return Error(Reason::kBadParameter, sentence);
}

Priority PriorityOf(uint64_t level) {
  if (level == 0) level = kDefaultPriorityLevel;
  if (level < kDefaultPriorityLevel) return Priority::kHigh;
  return level == kDefaultPriorityLevel ? Priority::kNormal : Priority::kLow;
}

absl::Status CheckOther(absl::string_view key,
                        const InferParameter& parameter) {
  if (key == "triton_enable_empty_final_response") {
    if (parameter.has_bool_param()) return absl::OkStatus();
    return Error(Reason::kBadParameter,
                 "triton_enable_empty_final_response is a bool");
  }
  if (absl::StartsWith(key, "sequence_")) {
    return Error(Reason::kBadParameter,
                 "this model keeps nothing from one request to the next, so "
                 "that it takes no sequence");
  }
  if (absl::StartsWith(key, "triton_") || key == "headers" ||
      key == "binary_data_output") {
    return Error(Reason::kBadParameter,
                 "a parameter has a name that the protocol reserves");
  }
  return absl::OkStatus();
}

bool IsSharedMemory(absl::string_view key) {
  return absl::StartsWith(key, "shared_memory_");
}

absl::Status NoSharedMemory() {
  return Error(Reason::kBadParameter,
               "this server has no shared memory; send the tensor in the "
               "request, and take it from the response");
}

}  // namespace

absl::StatusOr<RequestParameters> ReadRequestParameters(
    const ParameterMap& parameters) {
  RequestParameters read;
  for (const auto& [key, parameter] : parameters) {
    if (key == "priority") {
      GM_ASSIGN_OR_RETURN(
          const uint64_t level,
          Count(parameter, "priority is a whole number of at least 0"));
      read.priority = PriorityOf(level);
    } else if (key == "timeout") {
      GM_ASSIGN_OR_RETURN(
          const uint64_t timeout,
          Count(parameter,
                "timeout is a whole number of microseconds, at least 0"));
      if (timeout == 0) continue;
      read.timeout =
          std::chrono::microseconds(std::min(timeout, kLongestTimeoutUs));
    } else {
      GM_RETURN_IF_ERROR(CheckOther(key, parameter));
    }
  }
  return read;
}

absl::StatusOr<int> ReadOutputParameters(const ParameterMap& parameters) {
  int classes = 0;
  for (const auto& [key, parameter] : parameters) {
    if (IsSharedMemory(key)) return NoSharedMemory();
    if (key != "classification") continue;
    if (!parameter.has_int64_param() || parameter.int64_param() < 1) {
      return Error(Reason::kBadParameter,
                   "classification is a whole number of at least 1");
    }
    classes = static_cast<int>(std::min<int64_t>(
        parameter.int64_param(), std::numeric_limits<int>::max()));
  }
  return classes;
}

absl::Status CheckInputParameters(const ParameterMap& parameters) {
  for (const auto& [key, parameter] : parameters) {
    if (IsSharedMemory(key)) return NoSharedMemory();
  }
  return absl::OkStatus();
}

}  // namespace groupmamba::v2
