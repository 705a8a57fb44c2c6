// Lines into a file by a thread of its own: who writes one never waits. What
// the file does not take in time is dropped and counted.

#ifndef GROUPMAMBA_SERVER_LINE_WRITER_H_
#define GROUPMAMBA_SERVER_LINE_WRITER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace groupmamba {

// Thread-safe.
class LineWriter {
 public:
  // Bytes that may wait while as many are being written.
  static constexpr size_t kMaxWaiting = 8 << 20;

  // Opens the file, or makes it, and adds to its end. Errors: INVALID_ARGUMENT
  // with a sentence that names it.
  static absl::StatusOr<std::unique_ptr<LineWriter>> Open(
      const std::string& path);

  ~LineWriter() { Close(); }

  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` without its end.
  void Write(absl::string_view line);

  // Returns when what was written so far is in the file, or dropped.
  void Flush();

  // Writes what waits, and nothing more afterwards. A file that takes nothing
  // holds it up for a moment only.
  void Close();

  // Lines that are not, or not whole, in the file.
  uint64_t dropped() const { return dropped_.load(); }

 private:
  explicit LineWriter(int fd);
  void Run();
  void WriteOut(absl::string_view lines);
  bool AwaitWritable();

  const int fd_;
  std::atomic<uint64_t> dropped_ = 0;
  std::atomic<bool> stopping_ = false;
  bool within_line_ = false;  // of the thread: the file's last line has no end

  Mutex mutex_;
  CondVar changed_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_LINE_WRITER_H_
