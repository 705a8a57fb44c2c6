// What befalls the server of a chaos run beside its calls: new versions of its
// model, new certificates, decoders that are killed.

#ifndef GROUPMAMBA_TESTS_CHAOS_FAULTS_H_
#define GROUPMAMBA_TESTS_CHAOS_FAULTS_H_

#include <sys/types.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "tests/testing/certificate_maker.h"
#include "tests/testing/server_process.h"
#include "tests/testing/temp_dir.h"

namespace groupmamba::chaos {

// Not thread-safe.
class Faults {
 public:
  // Writes the first version and the first certificate into `folder`, which
  // must outlive it.
  explicit Faults(const testing::TempDir* folder);

  // With which the server reads them.
  std::vector<std::string> server_flags() const;

  // Of the certificates; PEM, and the file with it.
  std::string authority() const { return authority_.certificate(); }
  std::string authority_file() const { return folder_.Path("authority.pem"); }

  // Puts the next version of the model there and has `server` look for it.
  // Version v calls its class c "v<v>: <c>".
  void Reload(const ServerProcess& server);

  // Puts another certificate there, with its key and at once.
  void SwapCertificate();

  // Kills a decoder of `server`: one that computes if any does, else the
  // `which`th, counted in a circle. Nothing happens while all are dead or still
  // starting.
  void KillDecoder(const ServerProcess& server, size_t which);

  // Whether new connections get the newest certificate before `until`.
  bool AwaitNewestCertificate(const ServerProcess& server,
                              TimePoint until) const;

  int versions() const { return versions_; }
  int kills() const { return static_cast<int>(killed_.size()); }  // that hit

 private:
  void WriteVersion();

  const testing::TempDir& folder_;
  const testing::Authority authority_{"authority"};
  int versions_ = 0;
  int certificates_ = 0;
  std::set<pid_t> killed_;
};

// The decoders of `server` that live and wait for pictures or decode them.
std::vector<pid_t> LivingDecoders(const ServerProcess& server);

}  // namespace groupmamba::chaos

#endif  // GROUPMAMBA_TESTS_CHAOS_FAULTS_H_
