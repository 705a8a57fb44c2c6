#include "server/call_records.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "server/gauges.h"
#include "server/span.h"

namespace groupmamba {
namespace {

// Null for an empty path.
absl::StatusOr<std::unique_ptr<LineWriter>> OpenIfNamed(
    absl::string_view setting, const std::string& path) {
  if (path.empty()) return nullptr;
  auto writer = LineWriter::Open(path);
  if (writer.ok()) return writer;
  return absl::InvalidArgumentError(
      absl::StrCat(setting, ": ", writer.status().message()));
}

absl::string_view MethodOf(Protocol protocol) {
  return protocol == Protocol::kGrpc
             ? "groupmamba.v1.Classifier/Classify"
             : "inference.GRPCInferenceService/ModelInfer";
}

}  // namespace

absl::StatusOr<RecordFiles> OpenRecordFiles(const CallRecordsOptions& options) {
  RecordFiles files;
  GM_ASSIGN_OR_RETURN(files.journal, OpenIfNamed("--journal", options.journal));
  GM_ASSIGN_OR_RETURN(files.spans,
                      OpenIfNamed("--trace-file", options.trace_file));
  return files;
}

CallRecords::CallRecords(const CallRecordsOptions& options, RecordFiles files,
                         Metrics* metrics, const Clock* clock)
    : trace_ratio_(options.trace_ratio),
      files_(std::move(files)),
      metrics_(metrics),
      clock_(clock),
      start_(clock->Now()),
      names_(options.seed) {
  if (files_.journal != nullptr) {
    files_.journal->Write("id,planned_s,sent_s,done_s,code,version,crc32");
  }
}

CallInfo CallRecords::BeginStream(Protocol protocol,
                                  absl::string_view request_id,
                                  absl::string_view traceparent) const {
  return {.protocol = protocol,
          .id = IsSaneRequestId(request_id) ? std::string(request_id)
                                            : names_.RequestId(),
          .trace = Sample(traceparent),
          .arrived = clock_->Now()};
}

CallInfo CallRecords::Begin(Protocol protocol, absl::string_view request_id,
                            absl::string_view traceparent) {
  metrics_->RequestStarted(protocol);
  return BeginStream(protocol, request_id, traceparent);
}

CallInfo CallRecords::BeginItem(const CallInfo& stream,
                                absl::string_view item_id) {
  metrics_->RequestStarted(stream.protocol);
  CallInfo item = stream;
  item.id = IsSaneRequestId(item_id)
                ? std::string(item_id)
                : absl::StrCat(stream.id, ".", names_.RequestId());
  item.arrived = clock_->Now();
  return item;
}

TraceContext CallRecords::Sample(absl::string_view traceparent) const {
  TraceContext trace = ParseTraceparent(traceparent);
  if (trace.trace_id.empty() && files_.spans != nullptr &&
      names_.Draw(trace_ratio_)) {
    trace = {.trace_id = names_.TraceId(), .parent_id = "", .sampled = true};
  }
  return trace;
}

void CallRecords::End(const CallInfo& call, const CallEnd& end) {
  const TimePoint now = clock_->Now();
  if (files_.journal != nullptr) WriteJournal(call, end, now);
  if (files_.spans != nullptr && call.trace.sampled) {
    const Duration total = now - call.arrived;
    files_.spans->Write(SpanLine(
        {.trace = call.trace,
         .request_id = call.id,
         .method = MethodOf(call.protocol),
         .model = end.model,
         .version = end.version,
         .code = end.status.code(),
         .begin_unix_ns = absl::ToUnixNanos(absl::Now()) - total.count(),
         .total = total,
         .receipt = end.receipt},
        [this] { return names_.SpanId(); }));
  }
  Log(call, end, now);
}

void CallRecords::Done(Protocol protocol) { metrics_->RequestDone(protocol); }

void CallRecords::Flush() {
  if (files_.journal != nullptr) files_.journal->Flush();
  if (files_.spans != nullptr) files_.spans->Flush();
}

void CallRecords::Close() {
  if (files_.journal != nullptr) files_.journal->Close();
  if (files_.spans != nullptr) files_.spans->Close();
}

std::shared_ptr<prometheus::Collectable> CallRecords::DropMetrics() const {
  const auto sample = [](const char* sink, uint64_t dropped) {
    prometheus::ClientMetric metric;
    metric.label = {{"sink", sink}};
    metric.counter.value = static_cast<double>(dropped);
    return metric;
  };
  const auto dropped = [](const std::unique_ptr<LineWriter>& file) {
    return file == nullptr ? 0 : file->dropped();
  };
  return std::make_shared<Gauges>(
      std::vector<Gauges::Gauge>{},
      std::vector<Gauges::Labelled>{
          {"groupmamba_lines_dropped_total",
           "Lines of the log, the journal and the spans' file that could not "
           "be written, or not in time.",
           [this, sample, dropped] {
             return std::vector<prometheus::ClientMetric>{
                 sample("log", LogLinesLost()),
                 sample("journal", dropped(files_.journal)),
                 sample("spans", dropped(files_.spans))};
           },
           true}});
}

void CallRecords::WriteJournal(const CallInfo& call, const CallEnd& end,
                               TimePoint now) {
  const double arrived = ToSeconds(call.arrived - start_);
  files_.journal->Write(absl::StrFormat(
      "%s,%.6f,%.6f,%.6f,%s,%d,%08x", call.id, arrived, arrived,
      ToSeconds(now - start_), absl::StatusCodeToString(end.status.code()),
      end.version, call.crc));
}

// Failures of ours are warnings, everything else is for who debugs.
void CallRecords::Log(const CallInfo& call, const CallEnd& end,
                      TimePoint now) const {
  const LogLevel level =
      absl::IsInternal(end.status) ? LogLevel::kWarning : LogLevel::kDebug;
  if (!IsLogged(level)) return;
  groupmamba::Log(level, "request",
                  {{"request_id", call.id},
                   {"trace_id", call.trace.trace_id},
                   {"code", absl::StatusCodeToString(end.status.code())},
                   {"ms", ToMilliseconds(now - call.arrived)},
                   {"message", end.status.message()}});
}

}  // namespace groupmamba
