#include "server/frame_counter.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace groupmamba {
namespace {

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kPrefaceSize = sizeof(kPreface) - 1;

// Frame types and flags (RFC 9113, section 6).
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kRstStream = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kContinuation = 9;
constexpr uint8_t kUnknown = 0xff;
constexpr uint8_t kEndStream = 1;  // of DATA and HEADERS
constexpr uint8_t kAck = 1;        // of SETTINGS
constexpr uint8_t kEndHeaders = 4;
constexpr uint8_t kPadded = 8;

constexpr size_t kTypeAt = 3;  // in a frame's header

// What earns control frames, and resets: see FrameLimits.
constexpr double kControlsPerCall = 8;
constexpr double kControlsPerData = 4;
constexpr double kResetsPerCall = 0.5;

// A call that began within the last moment, or two, is new; cancelling it costs
// up to this many.
constexpr Duration kMoment = std::chrono::milliseconds(10);
constexpr double kNewReset = 5;

uint32_t BigEndian(const uint8_t* bytes, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

absl::string_view AbuseName(Abuse abuse) {
  constexpr absl::string_view kNames[kAbuseCount] = {
      "not_http2",     "resets", "control_frames", "headers",
      "early_streams", "slow",   "uploads"};
  return kNames[static_cast<size_t>(abuse)];
}

FrameCounter::FrameCounter(const FrameLimits& limits)
    : limits_(limits),
      resets_(limits.reset_burst, limits.resets_per_second),
      whole_calls_(limits.reset_burst, 0, 0),
      controls_(limits.control_burst, limits.controls_per_second) {}

std::optional<Abuse> FrameCounter::Read(uint8_t* data, size_t size,
                                        TimePoint now) {
  if (std::exchange(read_before_, true)) {
    resets_.Refill(now - now_);
    controls_.Refill(now - now_);
  }
  now_ = now;
  SettleStreams();
  const uint8_t* const end = data + size;
  if (preface_size_ < kPrefaceSize) {
    if (const auto abuse = ReadPreface(&data, end)) return abuse;
  }
  while (data < end) {
    if (header_size_ < sizeof(header_)) {
      if (!ReadFrameHeader(&data, end)) return std::nullopt;
      if (const auto abuse = BeginFrame()) return abuse;
    } else {
      ReadPayload(&data, end);
    }
    if (payload_left_ == 0) EndFrame();
  }
  return std::nullopt;
}

void FrameCounter::SettleStreams() {
  if (now_ - settling_since_ < kMoment) return;
  settled_stream_ = settling_stream_;
  settling_stream_ = last_stream_;
  settling_since_ = now_;
}

TimePoint FrameCounter::unfinished_since() const {
  return std::min(frame_began_, oldest_upload_);
}

std::optional<Abuse> FrameCounter::ReadPreface(uint8_t** data,
                                               const uint8_t* end) {
  const size_t size =
      std::min<size_t>(end - *data, kPrefaceSize - preface_size_);
  if (std::memcmp(*data, kPreface + preface_size_, size) != 0) {
    return Abuse::kNotHttp2;
  }
  preface_size_ += size;
  *data += size;
  return std::nullopt;
}

// True: it is complete.
bool FrameCounter::ReadFrameHeader(uint8_t** data, const uint8_t* end) {
  if (frame_began_ == kForever) frame_began_ = now_;
  const size_t size =
      std::min<size_t>(end - *data, sizeof(header_) - header_size_);
  std::memcpy(header_ + header_size_, *data, size);
  if (header_size_ <= kTypeAt && kTypeAt < header_size_ + size) {
    HideType(*data + (kTypeAt - header_size_));
  }
  header_size_ += size;
  *data += size;
  if (header_size_ < sizeof(header_)) return false;
  payload_left_ = BigEndian(header_, 3);
  type_ = header_[kTypeAt];
  flags_ = header_[4];
  stream_ = BigEndian(header_ + 5, 4) & 0x7fffffff;
  return true;
}

// A server is sent headers only where a call begins.
void FrameCounter::HideType(uint8_t* type) {
  if (*type == kHeaders) hidden_ = hide_new_calls_;
  if (hidden_ && (*type == kHeaders || *type == kContinuation)) {
    *type = kUnknown;
  }
}

std::optional<Abuse> FrameCounter::BeginFrame() {
  switch (type_) {
    case kData:
      if (payload_left_ == 0 && (flags_ & kEndStream) == 0) break;
      // More than there can be streams, but for those that the server ended.
      if (uploads_.size() > 2 * static_cast<size_t>(limits_.max_streams)) {
        absl::erase_if(uploads_, [](const auto& one) {
          return one.second.began == kForever;
        });
        if (uploads_.size() > static_cast<size_t>(limits_.max_streams)) {
          return Abuse::kUploads;
        }
      }
      BeginData();
      return std::nullopt;
    case kHeaders:
      return BeginHeaders();
    case kContinuation:
      header_bytes_ += payload_left_;
      if (flags_ & kEndHeaders) in_headers_ = false;
      if (header_bytes_ > limits_.max_header_block_bytes) {
        return Abuse::kHeaders;
      }
      break;
    case kRstStream:
      if (const auto found = uploads_.find(stream_); found != uploads_.end()) {
        const Upload upload = found->second;
        uploads_.erase(found);
        unfinished_bytes_ -= upload.received;
        EndUpload(upload.began);
      }
      if (!resets_.Take(ResetPrice())) return Abuse::kResets;
      return std::nullopt;
    case kSettings:
      if (flags_ & kAck) acknowledged_ = true;
      break;
    default:
      break;
  }
  if (!controls_.Take()) return Abuse::kControlFrames;
  return std::nullopt;
}

std::optional<Abuse> FrameCounter::BeginHeaders() {
  controls_.Earn(kControlsPerCall);
  in_headers_ = (flags_ & kEndHeaders) == 0;
  header_bytes_ = payload_left_;
  if (header_bytes_ > limits_.max_header_block_bytes) return Abuse::kHeaders;
  if (stream_ > last_stream_) {
    last_stream_ = stream_;
    if (!acknowledged_ && ++early_streams_ > limits_.max_streams) {
      return Abuse::kEarlyStreams;
    }
  }
  return std::nullopt;
}

double FrameCounter::ResetPrice() {
  if (stream_ <= settled_stream_) return 1;
  // Its own end, if it was sent, and another call's.
  return whole_calls_.Take(2) ? 1 : kNewReset;
}

void FrameCounter::BeginData() {
  if (payload_left_ > 0) controls_.Earn(kControlsPerData);
  if ((flags_ & kEndStream) != 0) {
    resets_.Earn(kResetsPerCall);
    whole_calls_.Earn(1);
  }
  padded_ = (flags_ & kPadded) != 0;
  content_left_ = payload_left_;
  upload_ = Upload{};
  if (const auto found = uploads_.find(stream_); found != uploads_.end()) {
    upload_ = found->second;
    uploads_.erase(found);
  }
  upload_began_ = upload_.began;
}

void FrameCounter::ReadPayload(uint8_t** data, const uint8_t* end) {
  const auto size =
      static_cast<uint32_t>(std::min<size_t>(end - *data, payload_left_));
  if (type_ == kData) ReadData(*data, size);
  *data += size;
  payload_left_ -= size;
}

void FrameCounter::ReadData(const uint8_t* data, uint32_t size) {
  if (size > 0 && std::exchange(padded_, false)) {
    const uint32_t not_content = 1 + uint32_t{*data};
    content_left_ -= std::min(content_left_, not_content);
    ++data;
    --size;
  }
  const uint32_t content = std::min(size, content_left_);
  content_left_ -= content;
  ReadMessages(data, content);
}

void FrameCounter::ReadMessages(const uint8_t* data, size_t size) {
  while (size > 0) {
    size_t taken = 1;
    if (upload_.prefix_size < sizeof(upload_.prefix)) {
      if (upload_.prefix_size == 0) upload_.began = now_;
      upload_.prefix[upload_.prefix_size++] = *data;
      if (upload_.prefix_size == sizeof(upload_.prefix)) {
        upload_.left = BigEndian(upload_.prefix + 1, 4);
        // One over the cap is refused and thrown away, and its client may
        // stop in the middle of it.
        upload_.kept =
            upload_.left <= static_cast<uint32_t>(limits_.max_message_bytes);
        if (!upload_.kept) upload_.began = kForever;
      }
    } else {
      taken = std::min<size_t>(size, upload_.left);
      upload_.left -= static_cast<uint32_t>(taken);
      if (upload_.kept) {
        upload_.received += static_cast<int64_t>(taken);
        unfinished_bytes_ += static_cast<int64_t>(taken);
      }
    }
    data += taken;
    size -= taken;
    if (upload_.prefix_size == sizeof(upload_.prefix) && upload_.left == 0) {
      unfinished_bytes_ -= upload_.received;
      upload_ = Upload{};
    }
  }
}

void FrameCounter::EndFrame() {
  header_size_ = 0;
  if (!in_headers_) frame_began_ = kForever;
  if (type_ == kData) EndData();
}

void FrameCounter::EndData() {
  if (upload_.prefix_size > 0 && (flags_ & kEndStream) == 0) {
    uploads_[stream_] = upload_;
    oldest_upload_ = std::min(oldest_upload_, upload_.began);
  } else {
    unfinished_bytes_ -= upload_.received;
    upload_.began = kForever;
  }
  if (upload_began_ != upload_.began) EndUpload(upload_began_);
}

// One that is not in uploads_ any more.
void FrameCounter::EndUpload(TimePoint began) {
  if (began == kForever || began != oldest_upload_) return;
  oldest_upload_ = kForever;
  for (const auto& [stream, upload] : uploads_) {
    oldest_upload_ = std::min(oldest_upload_, upload.began);
  }
}

}  // namespace groupmamba
