// A client of HTTP/2 that sends whatever it is told to: for tests of what the
// server does about it.

#ifndef GROUPMAMBA_TESTS_TESTING_RAW_HTTP2_H_
#define GROUPMAMBA_TESTS_TESTING_RAW_HTTP2_H_

#include <openssl/types.h>

#include <cstdint>
#include <string>

namespace groupmamba::testing {

// Frame types and flags (RFC 9113, section 6).
inline constexpr uint8_t kData = 0, kHeaders = 1, kRstStream = 3, kSettings = 4,
                         kPing = 6, kWindowUpdate = 8, kContinuation = 9;
inline constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream,
                  const std::string& payload = "");

// The connection's first words: the preface and empty settings.
std::string Preface();

// The headers of a Classify call, as HPACK.
std::string ClassifyHeaders();

// gRPC's prefix of a message that has, or is said to have, so many bytes.
std::string MessagePrefix(uint32_t size);

// Not thread-safe.
class RawConnection {
 public:
  // To 127.0.0.1:port.
  explicit RawConnection(int port, bool tls = false);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // False: the server has ended the connection.
  bool Send(const std::string& bytes);

  // Reads and drops what comes until the server ends the connection; false: it
  // has not within 20 s.
  bool AwaitEnd();

 private:
  BIO* connection_;  // null: it could not be made
};

}  // namespace groupmamba::testing

#endif  // GROUPMAMBA_TESTS_TESTING_RAW_HTTP2_H_
