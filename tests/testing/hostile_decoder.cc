// A decoder process that was taken over: speaks the protocol up to the picture,
// whose bytes then say what it does. Stands in for groupmamba-decoder in tests.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"
#include "server/isolation/confinement.h"
#include "server/isolation/protocol.h"
#include "server/isolation/shared_memory.h"

extern char** environ;

namespace groupmamba {
namespace {

void Refuse(absl::string_view text, DecoderReply* reply) {
  reply->outcome = DecoderReply::kRefused;
  reply->text_bytes = static_cast<uint32_t>(text.size());
  std::copy(text.begin(), text.end(), reply->text);
}

// Whether it was given nothing beside the protocol's two descriptors and the
// standard streams.
bool InheritedNothing() {
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    const int number = std::stoi(entry.path().filename());
    // The highest is the folder that is being read.
    if (number > kDecoderMemory + 1) return false;
  }
  // Which Clang's coverage puts there itself.
  unsetenv("__LLVM_PROFILE_RT_INIT_ONCE");
  return *environ == nullptr;
}

// Attacks that end in an ordinary answer.
DecoderReply Attack(absl::string_view command, uint64_t number) {
  DecoderReply reply;
  reply.number = number;
  if (command == "look around" && !InheritedNothing()) {
    reply.outcome = DecoderReply::kFailed;
  } else if (command == "shrink the memory" &&
             ftruncate(kDecoderMemory, 0) == 0) {
    reply.outcome = DecoderReply::kFailed;
  } else if (command == "fail") {
    reply.outcome = DecoderReply::kFailed;
  } else if (command == "refuse") {
    Refuse("corrupt: says the decoder", &reply);
  } else if (command == "refuse without a word") {
    Refuse("", &reply);
  } else if (command == "forge a line") {
    Refuse("corrupt: \n2026-01-01 INFO all is well", &reply);
  } else if (command == "claim too long a text") {
    reply.outcome = DecoderReply::kRefused;
    reply.text_bytes = sizeof(reply.text) + 1;
  } else if (command == "answer with no outcome") {
    reply.outcome = static_cast<DecoderReply::Outcome>(77);
  } else if (command == "answer twice") {
    SendMessage(kDecoderSocket, reply);
  }
  return reply;
}

// Attacks that do not come back.
void Crash(absl::string_view command) {
  if (command == "crash") raise(SIGSEGV);
  if (command == "be killed") raise(SIGKILL);
  if (command == "stop") raise(SIGSTOP);
  if (command == "open a file") {
    if (ConfineDecoder(INT64_MAX).ok()) open("/etc/passwd", O_RDONLY);
  }
  if (command == "hang up") _exit(0);
  if (command == "answer half") {
    SendMessage(kDecoderSocket, uint32_t{0});
    pause();
  }
  volatile uint64_t turns = 0;
  while (command == "spin") turns = turns + 1;
}

int Main() {
  DecoderSetup setup;
  if (!ReceiveMessage(kDecoderSocket, &setup)) return 2;
  absl::StatusOr<SharedMemory> memory =
      SharedMemory::Map(kDecoderMemory, setup.in_bytes + setup.out_bytes);
  if (!memory.ok() || !SendMessage(kDecoderSocket, DecoderReply{})) return 1;
  DecoderRequest request;
  while (ReceiveMessage(kDecoderSocket, &request)) {
    // A copy: the memory may be shrunk.
    const std::string command(
        reinterpret_cast<const char*>(memory->bytes().data()),
        static_cast<size_t>(request.bytes));
    Crash(command);
    const auto out =
        memory->bytes().subspan(static_cast<size_t>(setup.in_bytes),
                                static_cast<size_t>(request.out_bytes));
    std::fill(out.begin(), out.end(), uint8_t{42});
    SendMessage(kDecoderSocket, Attack(command, request.number));
  }
  return 0;
}

}  // namespace
}  // namespace groupmamba

int main() { return groupmamba::Main(); }
