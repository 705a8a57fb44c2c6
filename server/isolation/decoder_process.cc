#include "server/isolation/decoder_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace groupmamba {
namespace {

// A picture for the largest model (model/config.h).
constexpr int64_t kMaxOutBytes = int64_t{3} * 2048 * 2048;

// Input beyond this is given back after the picture.
constexpr int64_t kKeptBytes = int64_t{1} << 20;

// For loading the program on a busy machine.
constexpr Duration kStartTime = std::chrono::seconds(10);

absl::StatusOr<pid_t> Spawn(const std::string& program, int socket,
                            int memory) {
  // Out of the way, so that neither is overwritten as they are put in their
  // places.
  const int high_socket = fcntl(socket, F_DUPFD_CLOEXEC, 16);
  const int high_memory = fcntl(memory, F_DUPFD_CLOEXEC, 16);
  const absl::Cleanup close_both = [&] {
    close(high_socket);
    close(high_memory);
  };
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, high_socket, kDecoderSocket);
  posix_spawn_file_actions_adddup2(&files, high_memory, kDecoderMemory);
  posix_spawn_file_actions_addclosefrom_np(&files, kDecoderMemory + 1);

  // What ends the server does not end it early: a terminal's and a service
  // manager's signals go to all, and the server still drains.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                            POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, number);
  }
  posix_spawnattr_setsigmask(&attributes, &signals);

  char* const arguments[] = {const_cast<char*>(program.c_str()), nullptr};
  char* const no_environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &files, &attributes,
                                arguments, no_environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return absl::ErrnoToStatus(error, program);
  return pid;
}

// A text that a client may read; a process that was taken over chose it.
bool IsFitForClient(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

bool IsPossible(const DecoderReply& reply, uint64_t number) {
  if (reply.number != number) return false;
  if (reply.text_bytes > sizeof(reply.text)) return false;
  switch (reply.outcome) {
    case DecoderReply::kPrepared:
    case DecoderReply::kFailed:
      return true;
    case DecoderReply::kRefused:
      return IsFitForClient({reply.text, reply.text_bytes});
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderProcess>> DecoderProcess::Start(
    const DecoderOptions& options) {
  GM_ASSIGN_OR_RETURN(
      SharedMemory memory,
      SharedMemory::Create(options.max_in_bytes + kMaxOutBytes));
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  const absl::StatusOr<pid_t> pid =
      Spawn(options.program, ends[1], memory.descriptor());
  // Ours would keep the connection up when the process is gone.
  close(ends[1]);
  if (!pid.ok()) {
    close(ends[0]);
    return pid.status();
  }
  std::unique_ptr<DecoderProcess> process(
      new DecoderProcess(options, ends[0], *pid, std::move(memory)));
  GM_RETURN_IF_ERROR(process->Greet());
  return process;
}

DecoderProcess::DecoderProcess(const DecoderOptions& options, int socket,
                               pid_t pid, SharedMemory memory)
    : setup_({.limits = options.limits,
              .jpeg_oversampling = options.jpeg_oversampling,
              .in_bytes = options.max_in_bytes,
              .out_bytes = kMaxOutBytes}),
      hang_after_(options.hang_after),
      socket_(socket),
      pid_(pid),
      memory_(std::move(memory)) {}

DecoderProcess::~DecoderProcess() {
  if (!broken()) End();
  close(socket_);
}

// Kills it; how it ended, as wait(2) tells.
int DecoderProcess::End() {
  const pid_t pid = std::exchange(pid_, -1);
  kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

absl::Status DecoderProcess::Greet() {
  DecoderReply reply;
  SendMessage(socket_, setup_);
  if (const char* how = AwaitReply(kStartTime, &reply)) {
    return absl::InternalError(
        absl::StrCat("the decoder process did not come up: ", how));
  }
  if (reply.outcome != DecoderReply::kPrepared) {
    return absl::InternalError(
        absl::StrCat("the decoder process could not confine itself: ",
                     absl::string_view(reply.text, reply.text_bytes)));
  }
  return absl::OkStatus();
}

bool DecoderProcess::Waits() const {
  pollfd poll_for = {.fd = socket_, .events = POLLIN, .revents = 0};
  return poll(&poll_for, 1, 0) == 0;
}

absl::Status DecoderProcess::Prepare(const Picture& picture,
                                     const TransformSpec& spec,
                                     absl::Span<uint8_t> out) {
  const auto bytes = static_cast<int64_t>(picture.bytes.size());
  const auto out_bytes = static_cast<int64_t>(out.size());
  if (bytes > setup_.in_bytes || out_bytes > setup_.out_bytes) {
    return Error(Reason::kInternal);
  }
  std::copy(picture.bytes.begin(), picture.bytes.end(),
            memory_.bytes().begin());
  LimitProcessorTime();
  DecoderReply reply;
  // Where this fails, there will be no reply.
  SendMessage(socket_, DecoderRequest{.number = ++number_,
                                      .kind = picture.kind,
                                      .bytes = bytes,
                                      .width = picture.width,
                                      .height = picture.height,
                                      .spec = spec,
                                      .out_bytes = out_bytes});
  if (const char* how = AwaitReply(hang_after_, &reply)) return Break(how);
  if (bytes > kKeptBytes) memory_.Discard(bytes);

  const absl::string_view text(reply.text, reply.text_bytes);
  if (reply.outcome == DecoderReply::kRefused) {
    return absl::InvalidArgumentError(text);
  }
  if (reply.outcome == DecoderReply::kFailed) return Error(Reason::kInternal);
  const auto pixels =
      memory_.bytes().subspan(static_cast<size_t>(setup_.in_bytes), out.size());
  std::copy(pixels.begin(), pixels.end(), out.begin());
  return absl::OkStatus();
}

// Null: it is there. Else why it is not.
const char* DecoderProcess::AwaitReply(Duration time,
                                       DecoderReply* reply) const {
  pollfd poll_for = {.fd = socket_, .events = POLLIN, .revents = 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  int ready = -1;
  do {
    ready = poll(&poll_for, 1, static_cast<int>(ms));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return "it hung";
  if (!ReceiveMessage(socket_, reply)) return "it ended";
  return IsPossible(*reply, number_) ? nullptr : "its answer cannot be";
}

// The kernel ends it (SIGXCPU) when it has computed this much longer than by
// now.
void DecoderProcess::LimitProcessorTime() const {
  clockid_t clock = 0;
  timespec used = {};
  if (clock_getcpuclockid(pid_, &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    return;  // it is gone; sending will tell
  }
  const auto more =
      std::chrono::ceil<std::chrono::seconds>(4 * setup_.limits.max_time);
  rlimit limit = {};
  prlimit(pid_, RLIMIT_CPU, nullptr, &limit);
  limit.rlim_cur = std::min(static_cast<rlim_t>(used.tv_sec + 1 + more.count()),
                            limit.rlim_max);
  prlimit(pid_, RLIMIT_CPU, &limit, nullptr);
}

absl::Status DecoderProcess::Break(const char* how) {
  const int status = End();
  Log(LogLevel::kError, "a decoder process failed",
      {{"how", how}, {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0}});
  return Error(Reason::kDecoderCrash);
}

}  // namespace groupmamba
