#include "tests/chaos/faults.h"

#include <openssl/ssl.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/folder_writer.h"
#include "server/fake_engine.h"
#include "tests/testing/tls_probe.h"

namespace groupmamba::chaos {
namespace {

namespace fs = std::filesystem;

// The value of a line of /proc/PID/status; empty: it is gone.
std::string StatusOf(pid_t pid, const std::string& key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, key + ":\t")) return line.substr(key.size() + 2);
  }
  return "";
}

std::string NameOf(int certificate) {
  return absl::StrCat("certificate ", certificate);
}

}  // namespace

Faults::Faults(const testing::TempDir* folder) : folder_(*folder) {
  folder_.Write("authority.pem", authority());
  WriteVersion();
  SwapCertificate();
}

std::vector<std::string> Faults::server_flags() const {
  return {absl::StrCat("--models=", folder_.Path("models")),
          absl::StrCat("--tls-cert=", folder_.Path("tls/cert.pem")),
          absl::StrCat("--tls-key=", folder_.Path("tls/key.pem")),
          "--reload-s=0.1"};
}

void Faults::WriteVersion() {
  ++versions_;
  ModelConfig config = FakeModel().config;
  config.input.std = {1, 1, 1};  // a file must say it
  std::string labels;
  for (int i = 0; i < config.classes; ++i) {
    absl::StrAppend(&labels, "v", versions_, ": ", i, "\n");
  }
  // A fake engine wants no weights.
  const std::string hidden = folder_.Path("models/fake/.new");
  if (!WriteModelFolder(hidden, config, {}, {}, labels).ok()) std::abort();
  fs::rename(hidden, folder_.Path(absl::StrCat("models/fake/", versions_)));
}

void Faults::Reload(const ServerProcess& server) {
  WriteVersion();
  server.Signal(SIGHUP);
}

// As Kubernetes does it: by a link to a folder.
void Faults::SwapCertificate() {
  const std::string name = absl::StrCat("tls-", ++certificates_);
  const testing::Identity identity = authority_.Issue(NameOf(certificates_));
  folder_.Write(name + "/cert.pem", identity.certificate);
  folder_.Write(name + "/key.pem", identity.key);
  fs::create_symlink(name, folder_.Path("tls.new"));
  fs::rename(folder_.Path("tls.new"), folder_.Path("tls"));
}

void Faults::KillDecoder(const ServerProcess& server, size_t which) {
  std::vector<pid_t> decoders = LivingDecoders(server);
  // On a busy machine it takes a while to die.
  std::erase_if(decoders, [this](pid_t pid) { return killed_.contains(pid); });
  if (decoders.empty()) return;
  const auto computing = std::find_if(
      decoders.begin(), decoders.end(),
      [](pid_t pid) { return absl::StartsWith(StatusOf(pid, "State"), "R"); });
  const pid_t pid = computing == decoders.end()
                        ? decoders[which % decoders.size()]
                        : *computing;
  if (kill(pid, SIGKILL) == 0) killed_.insert(pid);
}

bool Faults::AwaitNewestCertificate(const ServerProcess& server,
                                    TimePoint until) const {
  while (testing::CertificateNameAt(server.port(), TLS1_3_VERSION) !=
         NameOf(certificates_)) {
    if (RealClock::Get()->Now() > until) return false;
  }
  return true;
}

std::vector<pid_t> LivingDecoders(const ServerProcess& server) {
  std::vector<pid_t> decoders;
  std::error_code error;
  for (const auto& task : fs::directory_iterator(
           absl::StrCat("/proc/", server.pid(), "/task"), error)) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) {
      // One without its filter is still starting. To kill it would be a start
      // that failed, which is no restart.
      if (StatusOf(child, "Seccomp") == "2" &&
          !absl::StartsWith(StatusOf(child, "State"), "Z")) {
        decoders.push_back(child);
      }
    }
  }
  std::sort(decoders.begin(), decoders.end());
  return decoders;
}

}  // namespace groupmamba::chaos
