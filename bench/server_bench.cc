// What the server adds to gRPC: requests a second and latencies of our server
// with a model that takes no time, beside those of a bare callback service that
// answers the same messages at once, and of one that answers from a thread of
// its own, which a server that forms batches cannot do without. Same client,
// same run, in turns; each server is a process of its own. The processor's time
// that a server spends on a request strays less than the rest on a machine that
// does other things, too.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "bench/provenance.h"
#include "grpcpp/grpcpp.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "server/fake_engine.h"
#include "server/server.h"

namespace groupmamba {
namespace {

constexpr Duration kRoundTime = std::chrono::milliseconds(1000);
constexpr Duration kWarmUpTime = std::chrono::milliseconds(300);
constexpr int kRounds = 5;

class NullEngine : public Engine {
 public:
  absl::Status Infer(absl::Span<const uint8_t* const> images,
                     absl::Span<float> logits) override {
    std::fill(logits.begin(), logits.end(), 0.f);
    return absl::OkStatus();
  }
  std::string device() const override { return "null"; }
  std::string precision() const override { return "fp32"; }
};

// What our server answers, give or take some digits.
void FillAnswer(v1::ClassifyResponse* response) {
  response->set_model("fake");
  response->set_version(1);
  v1::Prediction* prediction = response->add_predictions();
  prediction->set_label("class 1");
  prediction->set_index(1);
  prediction->set_probability(0.1f);
  v1::Timing* timing = response->mutable_timing();
  timing->set_decode_ms(0.1);
  timing->set_queue_ms(0.1);
  timing->set_inference_ms(0.1);
  timing->set_total_ms(0.1);
  timing->set_batch_size(1);
}

class BareService final : public v1::Classifier::CallbackService {
  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override {
    FillAnswer(response);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// The same, answered by a thread of its own, which takes all that wait: what a
// server that forms batches cannot do without. It never ends.
class HandingService final : public v1::Classifier::CallbackService {
 public:
  HandingService() : thread_([this] { Run(); }) {}

 private:
  struct Call {
    grpc::ServerUnaryReactor* reactor;
    v1::ClassifyResponse* response;
  };

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    {
      MutexLock lock(&mutex_);
      calls_.push_back({reactor, response});
    }
    changed_.NotifyOne();
    return reactor;
  }

  void Run() {
    std::vector<Call> calls;
    while (true) {
      calls.clear();
      {
        MutexLock lock(&mutex_);
        while (calls_.empty()) changed_.Wait(&mutex_);
        calls.swap(calls_);
      }
      for (const Call& call : calls) {
        FillAnswer(call.response);
        call.reactor->Finish(grpc::Status::OK);
      }
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<Call> calls_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// A process with a server. Must be started before this one uses gRPC.
class ServerChild {
 public:
  // `serve` writes its port to the file descriptor and serves until killed.
  template <typename Serve>
  explicit ServerChild(const Serve& serve) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(ends[1]);
      pause();
      std::_Exit(0);
    }
    close(ends[1]);
    if (read(ends[0], &port_, sizeof(port_)) != sizeof(port_)) std::abort();
    close(ends[0]);
  }
  ~ServerChild() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ServerChild(const ServerChild&) = delete;
  ServerChild& operator=(const ServerChild&) = delete;

  int port() const { return port_; }

  // Of the processor, so far.
  double CpuSeconds() const {
    clockid_t clock;
    timespec time;
    if (clock_getcpuclockid(pid_, &clock) != 0) std::abort();
    if (clock_gettime(clock, &time) != 0) std::abort();
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_nsec) * 1e-9;
  }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

void Tell(int fd, int port) {
  if (write(fd, &port, sizeof(port)) != sizeof(port)) std::abort();
}

template <typename Service>
void ServeBare(int fd) {
  static Service service;
  static std::unique_ptr<grpc::Server> server;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  server = builder.BuildAndStart();
  Tell(fd, port);
}

// A model whose pictures are `side` squared, so that nothing is resized.
void ServeOurs(int fd, int side) {
  ModelFolder model = FakeModel();
  model.config.input.resize = side;
  model.config.input.crop = side;
  ServerOptions options;
  options.transport.listen = "127.0.0.1:0";
  options.metrics_listen = "127.0.0.1:0";
  options.pipeline.decode_threads = 2;
  static std::unique_ptr<Server> server =
      *Server::Start(options, {std::move(model)}, RealClock::Get());
  if (!server
           ->Load([](const ModelFolder&) {
             return std::make_unique<NullEngine>();
           })
           .ok()) {
    std::abort();
  }
  Tell(fd, server->port());
}

struct Result {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;  // of the server, for a request
};

// So many callers, each of whom sends again when it has its answer.
class Callers {
 public:
  Callers(const ServerChild& server, int count,
          const v1::ClassifyRequest& request)
      : server_(server),
        stub_(v1::Classifier::NewStub(
            grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                                grpc::InsecureChannelCredentials()))),
        request_(request),
        count_(count) {}

  Result Run() {
    from_ = clock_->Now() + kWarmUpTime;
    until_ = from_ + kRoundTime;
    const double cpu = server_.CpuSeconds();
    for (int i = 0; i < count_; ++i) Send(new Call);
    MutexLock lock(&mutex_);
    while (ended_ < count_) changed_.Wait(&mutex_);
    Result result;
    std::sort(us_.begin(), us_.end());
    if (us_.empty()) return result;
    result.per_second = static_cast<double>(us_.size()) / ToSeconds(kRoundTime);
    result.p50_us = us_[us_.size() / 2];
    result.p99_us = us_[us_.size() * 99 / 100];
    result.cpu_us = (server_.CpuSeconds() - cpu) * 1e6 / answered_;
    return result;
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    v1::ClassifyResponse response;
    TimePoint sent;
  };

  void Send(Call* call) {
    call->context = std::make_unique<grpc::ClientContext>();
    call->response.Clear();
    call->sent = clock_->Now();
    stub_->async()->Classify(
        call->context.get(), &request_, &call->response,
        [this, call](const grpc::Status& status) { Finish(call, status); });
  }

  void Finish(Call* call, const grpc::Status& status) {
    const TimePoint now = clock_->Now();
    ++answered_;
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.error_message().c_str());
      std::_Exit(1);
    }
    if (now < until_) {
      if (now >= from_) {
        MutexLock lock(&mutex_);
        us_.push_back(ToSeconds(now - call->sent) * 1e6);
      }
      Send(call);
      return;
    }
    delete call;
    MutexLock lock(&mutex_);
    ++ended_;
    changed_.NotifyAll();
  }

  const ServerChild& server_;
  const std::unique_ptr<v1::Classifier::Stub> stub_;
  const v1::ClassifyRequest request_;
  const int count_;
  RealClock* const clock_ = RealClock::Get();
  TimePoint from_;
  TimePoint until_;

  std::atomic<int64_t> answered_ = 0;  // in warming up, too
  Mutex mutex_;
  CondVar changed_;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> us_ ABSL_GUARDED_BY(mutex_);
};

v1::ClassifyRequest Request(int side) {
  v1::ClassifyRequest request;
  request.set_top_k(1);
  request.mutable_raw()->set_width(side);
  request.mutable_raw()->set_height(side);
  request.mutable_raw()->set_rgb(std::string(3 * side * side, 'x'));
  return request;
}

// The middle of the rounds, figure by figure.
Result Median(const std::vector<Result>& rounds) {
  const auto of = [&](double Result::*figure) {
    std::vector<double> values;
    values.reserve(rounds.size());
    for (const Result& round : rounds) values.push_back(round.*figure);
    std::nth_element(values.begin(), values.begin() + values.size() / 2,
                     values.end());
    return values[values.size() / 2];
  };
  return {of(&Result::per_second), of(&Result::p50_us), of(&Result::p99_us),
          of(&Result::cpu_us)};
}

void Compare(const char* name, const ServerChild& bare, const ServerChild& ours,
             int side, double limit) {
  const v1::ClassifyRequest request = Request(side);
  for (int callers : {1, 8, 64}) {
    std::vector<Result> bare_rounds;
    std::vector<Result> our_rounds;
    for (int round = 0; round < kRounds; ++round) {
      bare_rounds.push_back(Callers(bare, callers, request).Run());
      our_rounds.push_back(Callers(ours, callers, request).Run());
    }
    const Result b = Median(bare_rounds);
    const Result o = Median(our_rounds);
    std::printf(
        "%-8s %7d | %8.0f %7.0f %7.0f %7.1f | %8.0f %7.0f %7.0f %7.1f | %5.2f",
        name, callers, b.per_second, b.p50_us, b.p99_us, b.cpu_us, o.per_second,
        o.p50_us, o.p99_us, o.cpu_us, o.per_second / b.per_second);
    if (callers == 1) {
      std::printf("   p50 + %.0f us (limit 150)\n", o.p50_us - b.p50_us);
    } else {
      std::printf("   (limit %.2f)\n", limit);
    }
  }
}

int Main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  SetLogOptions(LogFormat::kText, LogLevel::kError);
  // In all servers and the client, as in our programs.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  constexpr int kSmall = 4;    // 48 bytes
  constexpr int kLarge = 184;  // 102 KB
  const ServerChild bare(ServeBare<BareService>);
  const ServerChild handing(ServeBare<HandingService>);
  const ServerChild small([](int fd) { ServeOurs(fd, kSmall); });
  const ServerChild large([](int fd) { ServeOurs(fd, kLarge); });
  std::printf("%s\n", bench::Provenance().c_str());
  std::printf("%-8s %7s | %32s | %32s |\n", "", "", "bare callback service",
              "groupmamba-server, null model");
  std::printf("%-8s %7s | %8s %7s %7s %7s | %8s %7s %7s %7s | ratio\n",
              "message", "callers", "req/s", "p50 us", "p99 us", "cpu us",
              "req/s", "p50 us", "p99 us", "cpu us");
  Compare("48 B", bare, small, kSmall, 0.75);
  Compare("102 KB", bare, large, kLarge, 0.85);
  std::puts("beside a bare service that answers from a thread of its own:");
  Compare("48 B", handing, small, kSmall, 0.75);
  Compare("102 KB", handing, large, kLarge, 0.85);
  return 0;
}

}  // namespace
}  // namespace groupmamba

int main() { return groupmamba::Main(); }
