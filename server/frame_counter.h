// Reads along what a client of HTTP/2 sends, frame by frame, and says when it
// is abuse: floods that cost the server much more than the client, which gRPC
// 1.51 does not stop by itself. docs/security.md has the measurements.

#ifndef GROUPMAMBA_SERVER_FRAME_COUNTER_H_
#define GROUPMAMBA_SERVER_FRAME_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace groupmamba {

enum class Abuse {
  kNotHttp2,       // another protocol: HTTP/1, TLS, rubbish
  kResets,         // calls begun and cancelled in great number
  kControlFrames,  // PING, SETTINGS, WINDOW_UPDATE, empty DATA, ...
  kHeaders,        // headers without end
  kEarlyStreams,   // more calls than allowed, before the limit is acknowledged
  kSlow,           // a frame or a message does not get complete
  kUploads,        // holds most of what all unfinished messages may hold
};
inline constexpr int kAbuseCount = 7;

// "not_http2", ...: fit for a metric's label.
absl::string_view AbuseName(Abuse abuse);

// Something that is allowed so many times at once, then at a rate, and more
// where other things earn it.
class Allowance {
 public:
  Allowance(double burst, double per_second)
      : Allowance(burst, per_second, burst) {}
  Allowance(double burst, double per_second, double left)
      : burst_(burst), per_second_(per_second), left_(left) {}

  void Earn(double count) {
    left_ = left_ + count < burst_ ? left_ + count : burst_;
  }
  void Refill(Duration passed) { Earn(per_second_ * ToSeconds(passed)); }

  // False: there was not enough left.
  bool Take(double count = 1) { return (left_ -= count) >= 0; }

 private:
  const double burst_;
  const double per_second_;
  double left_;
};

struct FrameLimits {
  int max_streams = 1024;
  int max_message_bytes = 32 << 20;
  int max_header_block_bytes = 64 << 10;

  // Cancelled calls on one connection: so many at once, so many a second, and
  // besides one for every two calls that were sent to their end. One that is
  // cancelled as soon as it has begun counts as five: honest clients wait, if
  // only for a deadline. But after a stall, on either side or between, calls
  // arrive together with their deadlines' ends; so that it counts as one where
  // another call was sent to its end for it, of which resets leave so many
  // as are allowed at once.
  double reset_burst = 1000;
  double resets_per_second = 200;

  // Frames that carry nothing of a call. Every call and every piece of data
  // earns some, since honest clients answer both with windows and pings.
  double control_burst = 2000;
  double controls_per_second = 200;
};

// Not thread-safe: a connection is read by one thread at a time.
class FrameCounter {
 public:
  explicit FrameCounter(const FrameLimits& limits);

  // What was received next. Not to be called again once it has returned abuse.
  // Changes it where new calls are hidden.
  std::optional<Abuse> Read(uint8_t* data, size_t size, TimePoint now);

  // From now on, frames that begin a call become frames of a type that HTTP/2
  // does not know, which its readers must ignore (RFC 9113, section 5.5). For a
  // server that ends: gRPC 1.51 answers with CANCELLED what comes between its
  // Shutdown and the client's reading of GOAWAY. What it never saw, its last
  // GOAWAY declares unseen, and clients send it elsewhere by themselves.
  void HideNewCalls() { hide_new_calls_ = true; }

  // What was received of messages that are not complete.
  int64_t unfinished_bytes() const { return unfinished_bytes_; }

  // When the oldest frame or message that is not complete began; kForever:
  // there is none.
  TimePoint unfinished_since() const;

 private:
  // A message of gRPC that has begun: its length's five bytes, its content.
  struct Upload {
    uint8_t prefix[5] = {};
    uint8_t prefix_size = 0;  // 0: between two messages
    uint32_t left = 0;        // of the content
    int64_t received = 0;     // of the content, if gRPC keeps it
    bool kept = false;        // not over the cap
    TimePoint began = kForever;
  };

  std::optional<Abuse> ReadPreface(uint8_t** data, const uint8_t* end);
  bool ReadFrameHeader(uint8_t** data, const uint8_t* end);
  void HideType(uint8_t* type);
  std::optional<Abuse> BeginFrame();
  std::optional<Abuse> BeginHeaders();
  void SettleStreams();
  double ResetPrice();
  void BeginData();
  void ReadPayload(uint8_t** data, const uint8_t* end);
  void ReadData(const uint8_t* data, uint32_t size);
  void ReadMessages(const uint8_t* data, size_t size);
  void EndFrame();
  void EndData();
  void EndUpload(TimePoint began);

  const FrameLimits limits_;
  Allowance resets_;
  Allowance whole_calls_;  // sent to their end, less two for each new reset
  Allowance controls_;
  TimePoint now_ = {};
  bool read_before_ = false;
  bool hide_new_calls_ = false;
  bool hidden_ = false;  // the call that began last

  // The frame that is being read.
  size_t preface_size_ = 0;
  uint8_t header_[9] = {};
  size_t header_size_ = 0;
  uint32_t payload_left_ = 0;
  uint32_t stream_ = 0;
  uint8_t type_ = 0;
  uint8_t flags_ = 0;
  TimePoint frame_began_ = kForever;

  // Where it is DATA: its stream's message, taken out of uploads_ meanwhile.
  Upload upload_;
  TimePoint upload_began_ = kForever;  // when it was taken out
  bool padded_ = false;                // the padding's length comes next
  uint32_t content_left_ = 0;          // without padding

  // The last streams: now, when settling_since_ was, and one such time before,
  // a moment ago.
  uint32_t last_stream_ = 0;
  uint32_t settling_stream_ = 0;
  uint32_t settled_stream_ = 0;
  TimePoint settling_since_ = {};
  int early_streams_ = 0;
  bool acknowledged_ = false;  // our settings
  bool in_headers_ = false;    // the block goes on in the next frame
  int64_t header_bytes_ = 0;

  // Streams in the middle of a message.
  absl::flat_hash_map<uint32_t, Upload> uploads_;
  int64_t unfinished_bytes_ = 0;
  TimePoint oldest_upload_ = kForever;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_FRAME_COUNTER_H_
