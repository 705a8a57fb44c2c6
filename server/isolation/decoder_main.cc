// groupmamba-decoder: decodes pictures for groupmamba-server
// --decode-isolation process, which starts it; confined before it sees the
// first. Ends when the server does.

#include <unistd.h>

#include <cstdio>

#include "opencv2/core/utility.hpp"
#include "server/isolation/confinement.h"
#include "server/isolation/protocol.h"
#include "server/isolation/serve_decoder.h"
#include "server/isolation/shared_memory.h"

namespace groupmamba {
namespace {

int Main() {
  DecoderSetup setup;
  if (!ReceiveMessage(kDecoderSocket, &setup)) {
    std::fputs(
        "groupmamba-decoder: groupmamba-server --decode-isolation process "
        "starts this program; it is of no use alone.\n",
        stderr);
    return 2;
  }
  absl::StatusOr<SharedMemory> memory =
      SharedMemory::Map(kDecoderMemory, setup.in_bytes + setup.out_bytes);
  if (!memory.ok()) {
    SendMessage(kDecoderSocket, MakeReply(0, memory.status()));
    return 1;
  }
  memory->CloseDescriptor();
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    close(stream);
  }
  cv::setNumThreads(0);  // starting a thread is not allowed
  const absl::Status confined = ConfineDecoder(DecoderMemory(setup.limits));
  if (!SendMessage(kDecoderSocket, MakeReply(0, confined)) || !confined.ok()) {
    return 1;
  }
  ServeDecoder(kDecoderSocket, setup, memory->bytes());
  return 0;
}

}  // namespace
}  // namespace groupmamba

// Without the destructors of libraries, which may want more than is allowed.
int main() { _exit(groupmamba::Main()); }
