// Replaces a model again and again while callers use it.
//
//   reloads BIN_FOLDER CHECKOUT COUNT [SERVER_OPTION...]
//
// The bundled model in two forms, of which the second has its classes turned by
// one, takes turns as version 1, 2, 3, ...; its labels name the version. New
// versions come by SIGHUP and by RPC in turns, and every tenth is broken at
// first. Four callers ask without a pause. An answer is mixed if its labels are
// not those of the version that it names, or its numbers not those of that
// version's form. Ends with "1 passed, 0 failed" if no call failed, none was
// mixed, and a call that begins after a load by RPC is always answered by the
// new version.

#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "grpcpp/grpcpp.h"
#include "model/folder_writer.h"
#include "proto/groupmamba/v1/classifier.grpc.pb.h"
#include "proto/inference/grpc_service.grpc.pb.h"
#include "tests/testing/metrics_reader.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba {
namespace {

namespace fs = std::filesystem;

constexpr int kCallers = 4;
constexpr int kBrokenEvery = 10;

[[noreturn]] void Die(const std::string& what) {
  std::printf("%s\n0 passed, 1 failed\n", what.c_str());
  std::exit(1);
}

// Writes versions of the bundled model.
class Versions {
 public:
  Versions(const std::string& checkout, std::string root)
      : root_(std::move(root)),
        folder_(*ReadModelFolder(checkout + "/models/fashion/1")),
        file_(*SafetensorsFile::Read(checkout +
                                     "/models/fashion/1/model.safetensors")) {
    turned_ = file_.tensors();
    for (auto& [name, tensor] : turned_) {
      if (!absl::StartsWith(name, "head.") &&
          !absl::StartsWith(name, "dist_head.")) {
        continue;
      }
      // The first class's row goes to the end.
      const size_t row = tensor.bytes.size() / folder_.config.classes;
      std::vector<uint8_t>& rows = kept_[name];
      rows.assign(tensor.bytes.begin() + row, tensor.bytes.end());
      rows.insert(rows.end(), tensor.bytes.begin(), tensor.bytes.begin() + row);
      tensor.bytes = rows;
    }
  }

  // Under its number at once, as an operator should do it.
  void Add(int version, bool broken) const {
    std::string labels;
    for (int i = 0; i < folder_.config.classes; ++i) {
      absl::StrAppend(&labels, "v", version, ": ", i, "\n");
    }
    const std::string hidden = root_ + "/m/.new";
    const absl::Status status = WriteModelFolder(
        hidden, folder_.config, version % 2 == 0 ? turned_ : file_.tensors(),
        {}, labels);
    if (!status.ok()) Die(status.ToString());
    if (broken) std::ofstream(hidden + "/config.json") << "{";
    fs::rename(hidden, PathOf(version));
  }

  void Remove(int version) const { fs::remove_all(PathOf(version)); }

 private:
  std::string PathOf(int version) const {
    return absl::StrCat(root_, "/m/", version);
  }

  const std::string root_;
  const ModelFolder folder_;
  const SafetensorsFile file_;
  std::map<std::string, TensorBytes> turned_;
  std::map<std::string, std::vector<uint8_t>> kept_;
};

// Asks, and judges the answers.
class Caller {
 public:
  Caller(int port, std::vector<std::string> pictures)
      : stub_(v1::Classifier::NewStub(
            grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                                grpc::InsecureChannelCredentials()))),
        pictures_(std::move(pictures)) {}

  // The version that answered; 0: the call failed.
  int64_t Ask(size_t number) {
    const size_t picture = number % pictures_.size();
    v1::ClassifyRequest request;
    request.set_encoded(pictures_[picture]);
    request.set_top_k(10);
    v1::ClassifyResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Classify(&context, request, &response);
    if (!status.ok()) {
      if (++failed_ <= 3) {
        std::printf("failed: %s\n", status.error_message().c_str());
      }
      return 0;
    }
    ++answered_;
    if (!IsWhole(picture, response)) ++mixed_;
    return response.version();
  }

  int answered() const { return answered_; }
  int failed() const { return failed_; }
  int mixed() const { return mixed_; }

 private:
  bool IsWhole(size_t picture, const v1::ClassifyResponse& response) {
    const std::string begin = absl::StrCat("v", response.version(), ": ");
    std::string numbers;
    for (const v1::Prediction& prediction : response.predictions()) {
      if (prediction.label() != absl::StrCat(begin, prediction.index())) {
        return false;
      }
      absl::StrAppendFormat(&numbers, "%d %a\n", prediction.index(),
                            prediction.probability());
    }
    MutexLock lock(&mutex_);
    const auto [known, is_first] =
        numbers_.emplace(std::pair(picture, response.version() % 2), numbers);
    return known->second == numbers;
  }

  const std::unique_ptr<v1::Classifier::Stub> stub_;
  const std::vector<std::string> pictures_;
  std::atomic<int> answered_ = 0;
  std::atomic<int> failed_ = 0;
  std::atomic<int> mixed_ = 0;
  Mutex mutex_;
  std::map<std::pair<size_t, int64_t>, std::string> numbers_
      ABSL_GUARDED_BY(mutex_);
};

std::vector<std::string> ReadPictures(const std::string& folder) {
  std::vector<std::string> pictures;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".png") continue;
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    pictures.push_back(content.str());
  }
  return pictures;
}

double ResidentMb(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    double kb = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %lf", &kb) == 1) return kb / 1024;
  }
  return 0;
}

class Reloader {
 public:
  Reloader(ServerProcess* server, Caller* caller, const Versions* versions)
      : server_(server),
        caller_(caller),
        versions_(versions),
        admin_(inference::GRPCInferenceService::NewStub(grpc::CreateChannel(
            absl::StrCat("127.0.0.1:", server->admin_port()),
            grpc::InsecureChannelCredentials()))) {}

  // Brings the next version; false: it was not served in time.
  bool Bring(int version) {
    if (version % kBrokenEvery == 0) {
      versions_->Add(version, /*broken=*/true);
      if (Load().error_code() != grpc::StatusCode::FAILED_PRECONDITION ||
          caller_->Ask(version) != version - 1) {
        return false;
      }
      versions_->Remove(version);
    }
    versions_->Add(version, /*broken=*/false);
    bool served = false;
    if (version % 4 < 2) {
      served = Load().ok() && caller_->Ask(version) == version;
    } else {
      server_->Signal(SIGHUP);
      const TimePoint until = RealClock::Get()->Now() + std::chrono::minutes(1);
      while (!served && RealClock::Get()->Now() < until) {
        served = caller_->Ask(version) == version;
      }
    }
    versions_->Remove(version - 1);
    return served;
  }

 private:
  grpc::Status Load() {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name("m");
    inference::RepositoryModelLoadResponse response;
    grpc::ClientContext context;
    return admin_->RepositoryModelLoad(&context, request, &response);
  }

  ServerProcess* const server_;
  Caller* const caller_;
  const Versions* const versions_;
  const std::unique_ptr<inference::GRPCInferenceService::Stub> admin_;
};

int Run(const std::string& bin, const std::string& checkout, int count,
        std::vector<std::string> options) {
  const testing::TempDir dir;
  const Versions versions(checkout, dir.path());
  versions.Add(1, /*broken=*/false);
  for (const std::string& option : {absl::StrCat("--models=", dir.path()),
                                    std::string("--listen=127.0.0.1:0"),
                                    std::string("--metrics=127.0.0.1:0"),
                                    std::string("--admin=127.0.0.1:0")}) {
    options.push_back(option);
  }
  ServerProcess server(bin + "/groupmamba-server", options);
  if (!server.AwaitServing()) Die("the server did not start");
  // Somebody has to read what it says.
  std::thread log([&] { server.AwaitLine("no line holds this"); });

  Caller caller(server.port(), ReadPictures(checkout + "/client/samples"));
  Reloader reloader(&server, &caller, &versions);
  std::atomic<bool> done = false;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (size_t n = i; !done; ++n) caller.Ask(n);
    });
  }
  const TimePoint start = RealClock::Get()->Now();
  int late = 0;
  double warm_mb = 0;
  for (int version = 2; version <= count + 1; ++version) {
    if (!reloader.Bring(version)) ++late;
    if (version == count / 10 + 2) warm_mb = ResidentMb(server.pid());
  }
  const double seconds = ToSeconds(RealClock::Get()->Now() - start);
  const double end_mb = ResidentMb(server.pid());
  done = true;
  for (std::thread& thread : callers) thread.join();
  const std::string page = ReadMetricsPage(server.metrics_port());
  const int broken = (count + 1) / kBrokenEvery;
  const bool counted = absl::StrContains(
      page, absl::StrCat("\ngroupmamba_reload_failures_total ", broken, "\n"));
  server.Signal(SIGTERM);
  log.join();
  const int code = server.Wait();
  std::printf(
      "%d reloads in %.1f s, %d of them after a broken version: %d not served; "
      "%d answers, %d failed calls, %d mixed answers; broken ones counted: %s; "
      "resident after a tenth %.0f MB, at the end %.0f MB; exit code %d\n",
      count, seconds, broken, late, caller.answered(), caller.failed(),
      caller.mixed(), counted ? "yes" : "no", warm_mb, end_mb, code);
  const bool passed = late == 0 && caller.failed() == 0 &&
                      caller.mixed() == 0 && caller.answered() > count &&
                      counted && code == 0;
  std::printf("%d passed, %d failed\n", passed ? 1 : 0, passed ? 0 : 1);
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace groupmamba

int main(int argc, char** argv) {
  const int count = argc < 4 ? 0 : std::atoi(argv[3]);
  if (count < 1) {
    std::fprintf(
        stderr,
        "usage: reloads BIN_FOLDER CHECKOUT COUNT [SERVER_OPTION...]\n");
    return 2;
  }
  return groupmamba::Run(argv[1], argv[2], count, {argv + 4, argv + argc});
}
