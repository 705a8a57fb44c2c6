#include "client/load/session.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/command.h"
#include "client/load/grpc_target.h"
#include "client/load/live_line.h"
#include "client/load/stream_target.h"
#include "client/load/v2_protocol.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

constexpr char kClearLine[] = "\r\x1b[K";

// What the servers did between, all together; none where one was restarted.
std::optional<ServerActivity> Between(const std::vector<MetricsPage>& before,
                                      const std::vector<MetricsPage>& after) {
  std::optional<ServerActivity> all;
  for (size_t i = 0; i < before.size(); ++i) {
    const auto one = client::Between(before[i], after[i]);
    if (!one.ok()) return std::nullopt;
    if (!all) {
      all = *one;
    } else {
      all->Merge(*one);
    }
  }
  return all;
}

// For `plan`: what the server has learned and how it is set, and of this run
// how long decoding took and what the receipts leave to gRPC and the network.
std::optional<Profile> MeasuredProfile(const MetricsPage& page,
                                       const LoadReport& report) {
  absl::StatusOr<Profile> profile = ProfileOf(page, report.context.model);
  if (!profile.ok()) return std::nullopt;
  const Receipts& receipts = report.result.receipts;
  if (receipts.count > 0) {
    profile->decode = receipts.decode / receipts.count;
    profile->transport = std::max(
        Duration(0), (receipts.service - receipts.total) / receipts.count);
  }
  return *std::move(profile);
}

std::string PayloadName(const LoadOptions& options, size_t pictures) {
  if (!options.synthetic.empty()) {
    return absl::StrCat(
        pictures == 1 ? "a made picture of " : "made pictures of ",
        options.synthetic, options.raw ? ", raw" : "");
  }
  return absl::StrCat(pictures, pictures == 1 ? " picture" : " pictures");
}

}  // namespace

std::unique_ptr<LoadSession> LoadSession::Open(const LoadOptions& options,
                                               const Io& io, int* code) {
  auto session = absl::WrapUnique(new LoadSession(options, io));
  if (!session->OpenConnections(code) || !session->MakeTarget(code)) {
    return nullptr;
  }
  session->context_.target = options.connection.target;
  session->context_.deadline_ms = options.deadline_ms;
  session->context_.connections = options.connections;
  session->context_.streams = options.streams;
  session->context_.retries = options.connection.retries;
  session->context_.command = io.command_line;
  session->context_.machine = DescribeMachine();
  return session;
}

bool LoadSession::OpenConnections(int* code) {
  ConnectionOptions connection = options_.connection;
  connection.shared = false;
  for (int i = 0; i < options_.connections; ++i) {
    auto opened = ConnectOrFail(io_, connection);
    if (!opened) {
      *code = kExitUnreachable;
      return false;
    }
    connections_.push_back(std::move(opened));
  }
  return true;
}

bool LoadSession::MakeTarget(int* code) {
  const auto pictures = MakePayload();
  if (!pictures.ok()) {
    *code =
        Fail(io_, kExitWrongUsage, std::string(pictures.status().message()));
    return false;
  }
  std::vector<LoadRequests> requests;
  std::vector<std::string> names;
  for (const WeightedModel& model : options_.models) {
    absl::StatusOr<LoadModel> prepared = Prepare(model.name, *pictures);
    if (!prepared.ok()) {
      *code = absl::IsInvalidArgument(prepared.status())
                  ? Fail(io_, kExitWrongUsage,
                         std::string(prepared.status().message()))
                  : FailCall(io_, *connections_.front(), prepared.status());
      return false;
    }
    prepared->requests.weight = model.weight;
    requests.push_back(std::move(prepared->requests));
    names.push_back(options_.models.size() == 1
                        ? prepared->name
                        : absl::StrCat(prepared->name, "=", model.weight));
    context_.model_version =
        options_.models.size() == 1 ? prepared->version : 0;
  }
  context_.model = absl::StrJoin(names, ",");
  context_.payload = PayloadName(options_, pictures->size());
  requests_ = std::make_unique<RequestMix>(std::move(requests),
                                           options_.plan.seed, RunName());
  const Duration deadline = std::chrono::milliseconds(options_.deadline_ms);
  if (options_.streams > 0) {
    target_ = std::make_unique<StreamTarget>(
        options_.v2 ? V2StreamProtocol() : ClassifyStreamProtocol(deadline),
        std::move(connections_), options_.streams, requests_.get(), deadline);
  } else {
    target_ = std::make_unique<GrpcTarget>(
        options_.v2 ? V2Protocol() : ClassifyProtocol(),
        std::move(connections_), requests_.get(), deadline);
  }
  return true;
}

// With a journal the requests carry their ids, which no other run's may equal.
std::string LoadSession::RunName() const {
  if (options_.journal_file.empty()) return "";
  return absl::StrCat(absl::Hex(std::random_device()(), absl::kZeroPad8));
}

absl::StatusOr<LoadModel> LoadSession::Prepare(const std::string& model,
                                               const Payload& pictures) const {
  Connection* const connection = connections_.front().get();
  return options_.v2 ? PrepareV2Model(*connection, model,
                                      options_.model_version, pictures)
                     : PrepareClassifyModel(connection, model,
                                            options_.model_version, pictures);
}

absl::StatusOr<Payload> LoadSession::MakePayload() const {
  v1::ClassifyRequest prototype;
  prototype.set_top_k(1);
  prototype.set_priority(options_.priority);
  if (!options_.synthetic.empty()) {
    return SyntheticPayload(
        options_.synthetic,
        options_.raw ? SyntheticForm::kRaw : SyntheticForm::kJpeg,
        options_.plan.seed, prototype);
  }
  return FilePayload(options_.paths, prototype, io_.in);
}

std::optional<std::vector<MetricsPage>> LoadSession::ReadPages() {
  if (options_.metrics_addresses.empty()) return std::nullopt;
  std::vector<MetricsPage> pages;
  for (const std::string& address : options_.metrics_addresses) {
    auto page = FetchMetrics(address);
    if (!page.ok()) {
      if (!options_.default_metrics && !std::exchange(warned_, true)) {
        Fail(io_, kExitOk,
             absl::StrCat("warning: ", page.status().message(),
                          "; the report does without"));
      }
      return std::nullopt;
    }
    pages.push_back(*std::move(page));
  }
  return pages;
}

LoadReport LoadSession::Run(const LoadPlan& plan, std::ostream* journal) {
  LoadReport report{.plan = plan,
                    .context = context_,
                    .result = {},
                    .server = {},
                    .profile = {},
                    .objective = options_.objective};
  report.context.started =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  std::optional<std::vector<MetricsPage>> before;
  LoadWatch watch;
  watch.begun = [&] { before = ReadPages(); };
  if (io_.err_is_terminal) {
    *io_.err << "warming up ..." << std::flush;
    watch.each_second = [&](const LoadSnapshot& snapshot) {
      *io_.err << kClearLine << LiveLine(snapshot, plan.duration) << std::flush;
    };
  }
  std::optional<Journal> writer;
  if (journal != nullptr) {
    writer.emplace(journal, requests_.get());
    watch.each_call = [&writer](const CallRecord& call) { writer->Add(call); };
  }
  report.result = RunLoad(plan, target_.get(), io_.clock, watch);
  if (io_.err_is_terminal) *io_.err << kClearLine << std::flush;
  if (before) {
    if (const auto after = ReadPages()) {
      report.server = Between(*before, *after);
      if (after->size() == 1 && options_.models.size() == 1) {
        report.profile = MeasuredProfile(after->front(), report);
      }
    }
  }
  return report;
}

}  // namespace groupmamba::client
