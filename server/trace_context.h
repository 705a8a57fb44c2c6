// Who a call is: its request id and its place in a trace, from what the caller
// sent (x-request-id; traceparent, W3C Trace Context) or made here.

#ifndef GROUPMAMBA_SERVER_TRACE_CONTEXT_H_
#define GROUPMAMBA_SERVER_TRACE_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace groupmamba {

// The longest request id that is taken from a caller.
inline constexpr size_t kMaxRequestId = 128;

// Fit to stand in logs, journals and metadata: 1 to kMaxRequestId letters,
// digits and any of - . _ : / + = @ ~
bool IsSaneRequestId(absl::string_view id);

// Identifiers as in the header, in hexadecimal.
struct TraceContext {
  std::string trace_id;   // 32 digits; empty: no trace
  std::string parent_id;  // 16 digits, of the caller's span; empty: none
  bool sampled = false;   // whether the caller records it
};

// The context of a `traceparent` header; no trace_id where it is none.
TraceContext ParseTraceparent(absl::string_view header);

// Makes names that are never the same twice in a process, and differ between
// processes. Thread-safe.
class Names {
 public:
  explicit Names(uint64_t seed) : next_(seed) {}

  std::string RequestId() { return SpanId(); }
  std::string TraceId();  // 32 digits, never all zero
  std::string SpanId();   // 16 digits, never all zero

  // True for that share of the calls, 0 to 1.
  bool Draw(double share);

 private:
  uint64_t Next();

  std::atomic<uint64_t> next_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TRACE_CONTEXT_H_
