// The server's side of one decoder process: starts it, hands it pictures, and
// believes nothing that it says.

#ifndef GROUPMAMBA_SERVER_ISOLATION_DECODER_PROCESS_H_
#define GROUPMAMBA_SERVER_ISOLATION_DECODER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "model/image/decode.h"
#include "model/image/transform.h"
#include "server/isolation/protocol.h"
#include "server/isolation/shared_memory.h"
#include "server/task.h"

namespace groupmamba {

struct DecoderOptions {
  std::string program;  // path of groupmamba-decoder
  DecodeLimits limits = {};
  int jpeg_oversampling = 0;

  // The longest bytes that a request can hold, a file's or pixels.
  int64_t max_in_bytes = int64_t{32} << 20;

  // A process that takes longer for a picture hangs. Time that goes by, not
  // time of the processor: far above limits.max_time, so that a busy machine
  // fails nobody. Four times limits.max_time of the processor are too much as
  // well; the kernel counts those, in whole seconds.
  Duration hang_after = std::chrono::seconds(5);
};

// One thread's at a time.
class DecoderProcess {
 public:
  // Returns when the process is confined and waits. It inherits its socket and
  // its memory, no environment and no other file. Errors: what the system or
  // the process said, for the log.
  static absl::StatusOr<std::unique_ptr<DecoderProcess>> Start(
      const DecoderOptions& options);

  // Kills it.
  ~DecoderProcess();

  DecoderProcess(const DecoderProcess&) = delete;
  DecoderProcess& operator=(const DecoderProcess&) = delete;

  // Whether it is there and has said nothing without being asked.
  bool Waits() const;

  // PreparePicture's result, from the process. INTERNAL kDecoderCrash: it
  // ended, hung or gave an answer that cannot be, and is of no more use
  // (broken).
  absl::Status Prepare(const Picture& picture, const TransformSpec& spec,
                       absl::Span<uint8_t> out);

  bool broken() const { return pid_ < 0; }

  // For tests, which attack it; -1: broken.
  pid_t pid() const { return pid_; }

 private:
  DecoderProcess(const DecoderOptions& options, int socket, pid_t pid,
                 SharedMemory memory);

  absl::Status Greet();
  const char* AwaitReply(Duration time, DecoderReply* reply) const;
  void LimitProcessorTime() const;
  absl::Status Break(const char* how);
  int End();

  const DecoderSetup setup_;
  const Duration hang_after_;
  const int socket_;
  pid_t pid_;
  SharedMemory memory_;
  uint64_t number_ = 0;  // of the latest picture
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_DECODER_PROCESS_H_
