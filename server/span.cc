#include "server/span.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace groupmamba {
namespace {

using Json = nlohmann::ordered_json;

// As OTLP numbers them.
constexpr int kInternal = 1;
constexpr int kServer = 2;
constexpr int kError = 2;

Json Text(absl::string_view key, absl::string_view value) {
  return {{"key", std::string(key)},
          {"value", {{"stringValue", std::string(value)}}}};
}

// 64-bit numbers are strings in protobuf's JSON.
Json Number(absl::string_view key, int64_t value) {
  return {{"key", std::string(key)},
          {"value", {{"intValue", absl::StrCat(value)}}}};
}

Json Span(const std::string& trace_id, const std::string& id,
          const std::string& parent_id, absl::string_view name, int kind,
          int64_t begin_ns, Duration length) {
  Json span = {{"traceId", trace_id}, {"spanId", id}};
  if (!parent_id.empty()) span["parentSpanId"] = parent_id;
  span["name"] = std::string(name);
  span["kind"] = kind;
  span["startTimeUnixNano"] = absl::StrCat(begin_ns);
  span["endTimeUnixNano"] = absl::StrCat(begin_ns + length.count());
  return span;
}

}  // namespace

std::string SpanLine(const RequestSpan& request,
                     const std::function<std::string()>& span_id) {
  const std::string& trace = request.trace.trace_id;
  const std::string id = span_id();
  Json root = Span(trace, id, request.trace.parent_id, request.method, kServer,
                   request.begin_unix_ns, request.total);
  root["attributes"] = {
      Text("rpc.system", "grpc"), Text("request.id", request.request_id),
      Number("rpc.grpc.status_code", static_cast<int>(request.code))};
  if (!request.model.empty()) {
    root["attributes"].push_back(Text("model.name", request.model));
    root["attributes"].push_back(Number("model.version", request.version));
  }
  if (request.code != absl::StatusCode::kOk) {
    root["status"] = {{"code", kError}};
  }
  Json spans = Json::array();
  if (request.receipt != nullptr) {
    const Receipt& receipt = *request.receipt;
    root["attributes"].push_back(Number("batch.size", receipt.batch_size));
    int64_t begin = request.begin_unix_ns;
    for (const auto& [name, length] : {std::pair{"decode", receipt.decode},
                                       {"queue", receipt.queue},
                                       {"inference", receipt.inference}}) {
      spans.push_back(
          Span(trace, span_id(), id, name, kInternal, begin, length));
      begin += length.count();
    }
  }
  spans.insert(spans.begin(), std::move(root));
  const Json line = {
      {"resourceSpans",
       {{{"resource",
          {{"attributes", {Text("service.name", "groupmamba-server")}}}},
         {"scopeSpans",
          {{{"scope", {{"name", "groupmamba"}}}, {"spans", spans}}}}}}}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace groupmamba
