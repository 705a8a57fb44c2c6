// A request as spans, in the JSON that OpenTelemetry's collectors read: one
// ExportTraceServiceRequest a line.

#ifndef GROUPMAMBA_SERVER_SPAN_H_
#define GROUPMAMBA_SERVER_SPAN_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "server/receipt.h"
#include "server/trace_context.h"

namespace groupmamba {

struct RequestSpan {
  TraceContext trace;
  std::string request_id;
  absl::string_view method;  // "groupmamba.v1.Classifier/Classify"
  absl::string_view model = {};
  int64_t version = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  int64_t begin_unix_ns = 0;
  Duration total = {};
  const Receipt* receipt = nullptr;  // null: the request has no parts
};

// The request's span, and with a receipt one for decode, queue and inference
// each, which follow each other. `span_id` names each.
std::string SpanLine(const RequestSpan& request,
                     const std::function<std::string()>& span_id);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SPAN_H_
