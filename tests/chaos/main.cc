// chaos BIN_FOLDER SEEDS [FIRST]: runs of a server under everything at once,
// one a seed from FIRST (1) on, and whether its books balance afterwards.
//
// In each run the server has a fake engine and a journal. Callers send good and
// bad pictures, with long and short deadlines, and cancel some; load clients
// send over streams and over the V2 protocol; the server's process is stopped
// and continued. Then it must drain with code 0, and the callers' journals, the
// server's and its counters must agree. A seed gives the same schedule again,
// whose fingerprint is printed.
//
// The last line is "N passed, M failed", in seeds; exit code 1 when one failed.

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/load/metrics_page.h"
#include "tests/chaos/caller.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/schedule.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::chaos {
namespace {

constexpr Duration kPatience = std::chrono::seconds(20);

void WaitUntil(TimePoint time) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  while (RealClock::Get()->Now() < time) {
    RealClock::Get()->WaitUntil(&never, &mutex, time);
  }
}

class Run {
 public:
  Run(std::string bin, uint64_t seed)
      : bin_(std::move(bin)), seed_(seed), schedule_(MakeSchedule(seed)) {}

  // What does not agree.
  std::vector<std::string> Execute() {
    std::vector<std::string> flags = schedule_.server_flags;
    for (const std::string& flag :
         {std::string("--listen=127.0.0.1:0"),
          std::string("--metrics=127.0.0.1:0"),
          absl::StrCat("--journal=", folder_.Path("server.csv")),
          absl::StrCat("--trace-file=", folder_.Path("spans.jsonl")),
          std::string("--trace-ratio=0.1"),
          std::string("--drain-grace-s=60")}) {
      flags.push_back(flag);
    }
    server_ =
        std::make_unique<ServerProcess>(bin_ + "/groupmamba-server", flags);
    if (!server_->AwaitServing()) return {"the server did not start"};
    target_ = absl::StrCat("127.0.0.1:", server_->port());

    const auto streams = StartLoad("streams", schedule_.stream_rate,
                                   "--stream=3 --connections=2");
    const auto v2 = StartLoad("v2", schedule_.v2_rate,
                              "--protocol=v2 "
                              "--model=fake");
    Caller caller(target_, &schedule_);
    Happen(&caller);
    std::vector<Entry> callers = caller.AwaitAll();
    streams->Wait();
    v2->Wait();
    for (const char* name : {"streams", "v2"}) {
      for (Entry& entry : ReadFile(absl::StrCat(name, ".csv"))) {
        callers.push_back(std::move(entry));
      }
    }
    Tell(callers);
    return Judge(callers, caller.mixed_up());
  }

 private:
  std::unique_ptr<ServerProcess> StartLoad(const std::string& name, int rate,
                                           const std::string& flags) {
    return std::make_unique<ServerProcess>(
        "/bin/sh",
        std::vector<std::string>{
            "-c",
            absl::StrCat("exec '", bin_, "/groupmamba-client' load ",
                         "--target ", target_, " --rate ", rate,
                         " --warmup 0 --duration ", ToSeconds(schedule_.length),
                         " --deadline-ms 500 --synthetic 32x32 --raw "
                         "--metrics none --seed ",
                         seed_, " --journal '", folder_.Path(name + ".csv"),
                         "' ", flags, " >/dev/null 2>&1")});
  }

  // The schedule, in real time.
  void Happen(Caller* caller) {
    std::multimap<Duration, std::function<void()>> events;
    for (size_t i = 0; i < schedule_.calls.size(); ++i) {
      const PlannedCall& call = schedule_.calls[i];
      events.emplace(call.at, [caller, i] { caller->Send(i); });
      if (call.cancel_after == Duration::max()) continue;
      events.emplace(call.at + call.cancel_after,
                     [caller, i] { caller->Cancel(i); });
    }
    for (const PlannedStop& stop : schedule_.stops) {
      events.emplace(stop.at, [this] { server_->Signal(SIGSTOP); });
      events.emplace(stop.at + stop.length,
                     [this] { server_->Signal(SIGCONT); });
    }
    const TimePoint start = RealClock::Get()->Now();
    for (const auto& [at, event] : events) {
      WaitUntil(start + at);
      event();
    }
  }

  std::vector<Entry> ReadFile(const std::string& name) const {
    std::ifstream file(folder_.Path(name));
    return ReadJournal(&file);
  }

  // The page once the server has nothing left to do; what it is otherwise.
  client::MetricsPage AwaitIdle() const {
    const TimePoint until = RealClock::Get()->Now() + kPatience;
    while (true) {
      const auto page = client::FetchMetrics(
          absl::StrCat("127.0.0.1:", server_->metrics_port()));
      if (!page.ok()) return {};
      double started = 0;
      double done = 0;
      for (const client::Sample& sample : *page) {
        if (sample.name == "groupmamba_requests_started_total") {
          started += sample.value;
        } else if (sample.name == "groupmamba_requests_done_total") {
          done += sample.value;
        }
      }
      if (started == done || RealClock::Get()->Now() > until) return *page;
      WaitUntil(RealClock::Get()->Now() + std::chrono::milliseconds(10));
    }
  }

  void Tell(const std::vector<Entry>& callers) const {
    std::map<std::string, int> codes;
    for (const Entry& entry : callers) ++codes[entry.code];
    std::printf("seed %d, schedule %08x: %zu requests (%s), %zu stops\n",
                static_cast<int>(seed_), Fingerprint(schedule_), callers.size(),
                absl::StrJoin(codes, ", ",
                              [](std::string* out, const auto& code) {
                                absl::StrAppend(out, code.first, " ",
                                                code.second);
                              })
                    .c_str(),
                schedule_.stops.size());
  }

  std::vector<std::string> Judge(const std::vector<Entry>& callers,
                                 int mixed_up) {
    const client::MetricsPage page = AwaitIdle();
    server_->Signal(SIGTERM);
    const int code = server_->Wait();
    std::vector<std::string> mismatches =
        Reconcile(callers, ReadFile("server.csv"), page);
    if (code != 0) {
      mismatches.push_back(absl::StrCat("the server ended with code ", code));
    }
    if (mixed_up > 0) {
      mismatches.push_back(
          absl::StrCat(mixed_up, " answers were to other requests"));
    }
    return mismatches;
  }

  const std::string bin_;
  const uint64_t seed_;
  const Schedule schedule_;
  const testing::TempDir folder_;
  std::unique_ptr<ServerProcess> server_;
  std::string target_;
};

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: chaos BIN_FOLDER SEEDS [FIRST]\n");
    return 2;
  }
  const uint64_t first = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const uint64_t seeds = std::strtoull(argv[2], nullptr, 10);
  int passed = 0;
  int failed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::vector<std::string> mismatches = Run(argv[1], seed).Execute();
    for (size_t i = 0; i < std::min<size_t>(mismatches.size(), 20); ++i) {
      std::printf("  MISMATCH %s\n", mismatches[i].c_str());
    }
    std::printf("  %zu mismatches\n", mismatches.size());
    std::fflush(stdout);
    ++(mismatches.empty() ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace groupmamba::chaos

int main(int argc, char** argv) { return groupmamba::chaos::Main(argc, argv); }
