// What is kept of each request when it has ended: a line of the journal, a
// span, a line of the log, and the counters that must balance. Knows no gRPC.

#ifndef GROUPMAMBA_SERVER_CALL_RECORDS_H_
#define GROUPMAMBA_SERVER_CALL_RECORDS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "prometheus/collectable.h"
#include "server/line_writer.h"
#include "server/metrics.h"
#include "server/receipt.h"
#include "server/trace_context.h"

namespace groupmamba {

struct CallRecordsOptions {
  // Files; empty: none. Spans are lines of OTLP's JSON.
  std::string journal = {};
  std::string trace_file = {};

  // The share of the calls without a traceparent that get a span; with one, its
  // flag decides.
  double trace_ratio = 0;

  // Of the names that are made here.
  uint64_t seed = 0;
};

// Null: there is none.
struct RecordFiles {
  std::unique_ptr<LineWriter> journal;
  std::unique_ptr<LineWriter> spans;
};

// Errors: INVALID_ARGUMENT with a sentence that names the setting.
absl::StatusOr<RecordFiles> OpenRecordFiles(const CallRecordsOptions& options);

// One request, from its arrival to its end.
struct CallInfo {
  Protocol protocol = Protocol::kGrpc;
  std::string id;  // the caller's x-request-id where it is sane, else made here
  TraceContext trace;  // trace_id empty: nothing is recorded of it
  TimePoint arrived;
  uint32_t crc = 0;  // CRC-32 of the request's message; 0: there is no journal
};

// How it ended.
struct CallEnd {
  absl::Status status;
  absl::string_view model = {};  // of OK; never a client's text
  int64_t version = 0;
  const Receipt* receipt = nullptr;  // null: there is none
};

// Thread-safe.
class CallRecords {
 public:
  // `metrics` and `clock` must outlive it.
  CallRecords(const CallRecordsOptions& options, RecordFiles files,
              Metrics* metrics, const Clock* clock);

  // A request comes, with these headers; empty: it has none.
  CallInfo Begin(Protocol protocol, absl::string_view request_id,
                 absl::string_view traceparent);

  // An item of a stream comes: named by its own id where that is sane.
  CallInfo BeginItem(const CallInfo& stream, absl::string_view item_id);

  // A stream comes. Its items are the requests; it counts as none itself.
  CallInfo BeginStream(Protocol protocol, absl::string_view request_id,
                       absl::string_view traceparent) const;

  // Whether CallInfo::crc is wanted.
  bool wants_crc() const { return files_.journal != nullptr; }

  // The request has its status. Called once for each Begin and BeginItem,
  // before the reply leaves.
  void End(const CallInfo& call, const CallEnd& end);

  // Its transport has let go of it: the last thing that happens to it.
  void Done(Protocol protocol);

  // Returns when everything told so far is in its file.
  void Flush();

  // The same, within a moment; what is told afterwards is lost. For a process
  // that ends without destroying this.
  void Close();

  // Lines that files could not take, the log's among them. Not to be read after
  // this is gone.
  std::shared_ptr<prometheus::Collectable> DropMetrics() const;

 private:
  TraceContext Sample(absl::string_view traceparent) const;
  void WriteJournal(const CallInfo& call, const CallEnd& end, TimePoint now);
  void Log(const CallInfo& call, const CallEnd& end, TimePoint now) const;

  const double trace_ratio_;
  const RecordFiles files_;
  Metrics* const metrics_;
  const Clock* const clock_;
  const TimePoint start_;
  mutable Names names_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_CALL_RECORDS_H_
