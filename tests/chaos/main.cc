// chaos BIN_FOLDER SEEDS [FIRST [DECODE_ISOLATION]]: runs of a server under
// everything at once, one a seed from FIRST (1) on, and whether its books
// balance afterwards.
//
// In each run the server has a fake engine, TLS, decoders in processes of their
// own and a journal. Callers send good and bad pictures, with long and short
// deadlines, and cancel some; load clients send over streams and over the V2
// protocol. Meanwhile the server's process is stopped and continued, its model
// gets new versions and its certificate successors, and its decoders are
// killed. Then it must be whole again and drain with code 0, and the callers'
// journals, the server's and its counters must agree. A seed gives the same
// schedule again, whose fingerprint is printed. DECODE_ISOLATION none: there is
// no decoder to kill (sanitizers do not go with one).
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
#include "tests/chaos/faults.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/schedule.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::chaos {
namespace {

constexpr Duration kPatience = std::chrono::seconds(20);

// By when a server that reads its files ten times a second has a new one.
constexpr Duration kSwapTime = std::chrono::milliseconds(150);

void WaitUntil(TimePoint time) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(&mutex);
  while (RealClock::Get()->Now() < time) {
    RealClock::Get()->WaitUntil(&never, &mutex, time);
  }
}

template <typename T>
void Append(const std::vector<T>& more, std::vector<T>* all) {
  all->insert(all->end(), more.begin(), more.end());
}

class Run {
 public:
  Run(std::string bin, uint64_t seed, bool isolated)
      : bin_(std::move(bin)),
        seed_(seed),
        schedule_(MakeSchedule(seed, isolated)) {}

  // What does not agree.
  std::vector<std::string> Execute() {
    std::vector<std::string> flags = faults_.server_flags();
    flags.insert(flags.end(), schedule_.server_flags.begin(),
                 schedule_.server_flags.end());
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
    Caller caller(target_, faults_.authority(), &schedule_);
    Happen(&caller);
    const std::vector<Entry> callers = caller.AwaitAll();
    streams->Wait();
    v2->Wait();
    std::vector<Entry> loads = ReadFile("streams.csv");
    Append(ReadFile("v2.csv"), &loads);
    return Judge(callers, loads, caller.mixed_up());
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
                         "--metrics none --tls-ca '",
                         faults_.authority_file(), "' --seed ", seed_,
                         " --journal '", folder_.Path(name + ".csv"), "' ",
                         flags, " >/dev/null 2>&1")});
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
    for (const Duration at : schedule_.reloads) {
      events.emplace(at, [this] { faults_.Reload(*server_); });
    }
    // Some calls after it take a new connection.
    for (const Duration at : schedule_.swaps) {
      events.emplace(at, [this] { faults_.SwapCertificate(); });
      events.emplace(at + kSwapTime, [caller] { caller->Connect(); });
    }
    for (const PlannedKill& planned : schedule_.kills) {
      events.emplace(planned.at, [this, which = planned.which] {
        faults_.KillDecoder(*server_, which);
      });
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

  Damage GetDamage() const {
    const int living = static_cast<int>(LivingDecoders(*server_).size());
    return {.versions = faults_.versions(),
            .kills = faults_.kills(),
            .dead = schedule_.decoders - living};
  }

  struct State {
    client::MetricsPage page;
    Damage damage;
  };

  // Once the server has nothing left to do and is whole again; what it is
  // otherwise.
  State AwaitIdle(TimePoint until) const {
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
      const Damage damage = GetDamage();
      const bool idle = started == done && CheckRepair(*page, damage).empty();
      if (idle || RealClock::Get()->Now() > until) return {*page, damage};
      WaitUntil(RealClock::Get()->Now() + std::chrono::milliseconds(10));
    }
  }

  void Tell(const std::vector<Entry>& callers) const {
    std::map<std::string, int> codes;
    for (const Entry& entry : callers) ++codes[entry.code];
    std::printf(
        "seed %d, schedule %08x: %zu requests (%s), %zu stops, %zu reloads, "
        "%zu certificates, %d decoders killed\n",
        static_cast<int>(seed_), Fingerprint(schedule_), callers.size(),
        absl::StrJoin(codes, ", ",
                      [](std::string* out, const auto& code) {
                        absl::StrAppend(out, code.first, " ", code.second);
                      })
            .c_str(),
        schedule_.stops.size(), schedule_.reloads.size(),
        schedule_.swaps.size(), faults_.kills());
  }

  std::vector<std::string> Judge(const std::vector<Entry>& callers,
                                 const std::vector<Entry>& loads,
                                 int mixed_up) {
    std::vector<Entry> all = callers;
    Append(loads, &all);
    Tell(all);
    const TimePoint until = RealClock::Get()->Now() + kPatience;
    const bool renewed = faults_.AwaitNewestCertificate(*server_, until);
    const auto [page, damage] = AwaitIdle(until);
    server_->Signal(SIGTERM);
    const int code = server_->Wait();
    const std::vector<Entry> server = ReadFile("server.csv");
    std::vector<std::string> mismatches = Reconcile(all, server, page);
    Append(CheckHarm(callers, loads, server, page, damage), &mismatches);
    Append(CheckRepair(page, damage), &mismatches);
    if (!renewed) mismatches.emplace_back("the newest certificate is not used");
    if (code != 0) {
      mismatches.push_back(absl::StrCat("the server ended with code ", code));
    }
    if (mixed_up > 0) {
      mismatches.push_back(
          absl::StrCat(mixed_up, " answers did not fit their requests"));
    }
    return mismatches;
  }

  const std::string bin_;
  const uint64_t seed_;
  const Schedule schedule_;
  const testing::TempDir folder_;
  Faults faults_{&folder_};
  std::unique_ptr<ServerProcess> server_;
  std::string target_;
};

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr,
                 "usage: chaos BIN_FOLDER SEEDS [FIRST [DECODE_ISOLATION]]\n");
    return 2;
  }
  const uint64_t first = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const uint64_t seeds = std::strtoull(argv[2], nullptr, 10);
  const bool isolated = argc < 5 || argv[4] != std::string("none");
  int passed = 0;
  int failed = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::vector<std::string> mismatches =
        Run(argv[1], seed, isolated).Execute();
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
