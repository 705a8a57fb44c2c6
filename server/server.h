// The whole server in one object: what main starts, and what tests start in
// their own process.

#ifndef GROUPMAMBA_SERVER_SERVER_H_
#define GROUPMAMBA_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "model/config.h"
#include "server/admission.h"
#include "server/call_records.h"
#include "server/classify_service.h"
#include "server/health.h"
#include "server/isolation/decoder_pool.h"
#include "server/metrics.h"
#include "server/metrics_page.h"
#include "server/model_control.h"
#include "server/model_repository.h"
#include "server/open_streams.h"
#include "server/pipeline.h"
#include "server/served_model.h"
#include "server/transport.h"
#include "server/v2/statistics.h"
#include "server/v2_service.h"

namespace groupmamba {

struct ServerOptions {
  TransportOptions transport;
  std::string metrics_listen = "0.0.0.0:8002";  // HOST:PORT; port 0: any
  AdmissionLimits admission;
  PipelineOptions pipeline;
  BatchPolicy batch;
  int instances = 1;
  std::string default_model;
  CallRecordsOptions records;
  ModelControlOptions control;

  // Path of groupmamba-decoder: pictures are decoded in such processes, one for
  // each of pipeline.decode_threads; empty: in this process.
  std::string decoder_program;

  // Memory for pictures; null: ordinary memory.
  SlotPool::Allocate allocate_slot = nullptr;

  // A batch that takes longer hangs, which is as if its device had failed; 0:
  // it may take any time.
  Duration hang_after = std::chrono::seconds(30);

  // Called when a device failed for good, once the health says NOT_SERVING: the
  // process should end and be replaced. May be called again; must not block.
  // May be empty.
  std::function<void()> on_device_lost = {};
};

struct DrainTimes {
  // How long to serve on while the health says NOT_SERVING, so that balancers
  // stop sending before anything is refused.
  Duration linger = {};

  // What the whole drain may take.
  Duration grace = std::chrono::seconds(25);
};

// Thread-safe. Its life: Start, Load, serving, Drain.
class Server {
 public:
  // Starts the decoders, listens for calls and for readers of the metrics.
  // Health says NOT_SERVING, and Classify UNAVAILABLE, until Load has returned.
  // `clock` must outlive it. Errors: UNAVAILABLE, an address cannot be listened
  // on; INVALID_ARGUMENT, a file of the records cannot be written to; those of
  // Transport::Create and DecoderPool::Start.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, std::vector<ModelFolder> models,
      Clock* clock);

  // Waits for the batches that run; who waits for the model gets UNAVAILABLE.
  ~Server();

  // Loads and warms up every model, then says SERVING. Stops at the first
  // error.
  absl::Status Load(const EngineFactory& factory);

  // Begins to make the served models those of their folder; model_control.h.
  void ReloadModels() { control_.Reload(); }

  // In order: says NOT_SERVING; lingers; refuses what is new with UNAVAILABLE;
  // waits until everything that was accepted is answered. Near the grace's end
  // those who wait for the model get UNAVAILABLE, and at last those in it.
  // True: nobody is inside any more, and the server can be destroyed. False: a
  // thread hangs and all calls are ended as far as can be; end the process
  // without.
  bool Drain(const DrainTimes& times);

  // Lets a Drain, now or later, not linger and not wait for those who wait.
  void HastenDrain();

  // Writes out the journal and the spans; for a process that ends without
  // destroying this.
  void CloseRecords() { records_.Close(); }

  int port() const { return transport_->port(); }
  int admin_port() const { return transport_->admin_port(); }    // 0: none
  int health_port() const { return transport_->health_port(); }  // 0: none
  int metrics_port() const { return metrics_page_->port(); }
  const Metrics& metrics() const { return metrics_; }
  Admission::Usage usage() const { return admission_.usage(); }

 private:
  Server(const ServerOptions& options, RecordFiles files,
         std::vector<ModelFolder> models, std::unique_ptr<DecoderPool> decoders,
         Clock* clock);

  void Linger(TimePoint until);
  void Close();
  void EndTransport();

  Clock* const clock_;
  Mutex mutex_;
  CondVar hastened_;
  bool hasten_ ABSL_GUARDED_BY(mutex_) = false;
  Admission admission_;
  Metrics metrics_;
  CallRecords records_;
  OpenStreams streams_;
  HealthService health_;  // before the models, whose threads tell it
  ModelRepository models_;
  const std::unique_ptr<DecoderPool> decoders_;  // null: none
  Pipeline pipeline_;
  ModelControl control_;
  v2::Statistics statistics_;
  ClassifyService classify_;
  V2Service v2_;
  V2Service admin_v2_;  // with model control
  std::unique_ptr<MetricsPage> metrics_page_;
  std::unique_ptr<Transport> transport_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_SERVER_H_
