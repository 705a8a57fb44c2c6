// The settings of the listeners and their connections.

#ifndef GROUPMAMBA_SERVER_TRANSPORT_FLAGS_H_
#define GROUPMAMBA_SERVER_TRANSPORT_FLAGS_H_

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "server/transport.h"

namespace groupmamba {

class TransportFlags {
 public:
  // `options` holds the defaults, and must outlive the parsing.
  explicit TransportFlags(TransportOptions* options) : options_(options) {}

  // Declares them.
  void AddTo(CLI::App* app);

  // After the parsing: what the flags give in other units than `options`.
  // Errors: INVALID_ARGUMENT with a sentence that names the setting.
  absl::Status Take();

 private:
  void AddListenFlags(CLI::App* app);
  void AddSecretFlags(CLI::App* app);
  void AddConnectionFlags(CLI::App* app);

  TransportOptions* const options_;
  double reload_s_ = 10;
  double max_message_mb_ = 32;
  double max_metadata_kb_ = 8;
  double buffer_mb_ = 512;
  double upload_mb_ = 256;
  double receive_timeout_s_ = 60;
  double age_s_ = 0;
  double grace_s_ = 120;
  double idle_s_ = 600;
  double keepalive_s_ = 60;
  double keepalive_timeout_s_ = 20;
  double handshake_timeout_s_ = 10;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TRANSPORT_FLAGS_H_
