#include "server/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

// How long a pipe that is full is waited for at the end.
constexpr int kLastWaitMs = 200;

}  // namespace

absl::StatusOr<std::unique_ptr<LineWriter>> LineWriter::Open(
    const std::string& path) {
  // A pipe must neither hold up the opening nor the end.
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK,
           0640);
  if (fd < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' cannot be written to"));
  }
  return std::unique_ptr<LineWriter>(new LineWriter(fd));
}

LineWriter::LineWriter(int fd) : fd_(fd), thread_([this] { Run(); }) {}

void LineWriter::Close() {
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
  close(fd_);
}

void LineWriter::Write(absl::string_view line) {
  MutexLock lock(&mutex_);
  if (waiting_.size() + line.size() + 1 > kMaxWaiting) {
    ++dropped_;
    return;
  }
  if (waiting_.empty()) changed_.NotifyAll();
  waiting_.append(line.data(), line.size());
  waiting_.push_back('\n');
}

void LineWriter::Flush() {
  MutexLock lock(&mutex_);
  while (!waiting_.empty() || writing_) changed_.Wait(&mutex_);
}

void LineWriter::Run() {
  std::string lines;
  while (true) {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
      changed_.NotifyAll();
      while (waiting_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (waiting_.empty()) return;
      lines.clear();
      lines.swap(waiting_);
      writing_ = true;
    }
    WriteOut(lines);
  }
}

void LineWriter::WriteOut(absl::string_view lines) {
  // After a line that broke off, so that the next one can be read.
  std::string whole;
  if (within_line_) {
    whole = absl::StrCat("\n", lines);
    lines = whole;
  }
  while (!lines.empty()) {
    const ssize_t written = write(fd_, lines.data(), lines.size());
    if (written > 0) {
      within_line_ = lines[written - 1] != '\n';
      lines.remove_prefix(written);
    } else if (errno != EINTR && !(errno == EAGAIN && AwaitWritable())) {
      dropped_ += std::count(lines.begin(), lines.end(), '\n');
      return;
    }
  }
}

bool LineWriter::AwaitWritable() {
  pollfd file = {.fd = fd_, .events = POLLOUT, .revents = 0};
  while (!stopping_) {
    if (poll(&file, 1, kLastWaitMs) > 0) return true;
  }
  return poll(&file, 1, kLastWaitMs) > 0;
}

}  // namespace groupmamba
