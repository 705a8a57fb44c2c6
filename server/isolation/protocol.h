// What the server and a decoder process say to each other: fixed messages over
// a SOCK_SEQPACKET socket, one for each picture and one for each answer. The
// bytes and pixels lie in memory that both map. Private to server/isolation.
//
// Both are of one build: a message of another size ends the conversation.

#ifndef GROUPMAMBA_SERVER_ISOLATION_PROTOCOL_H_
#define GROUPMAMBA_SERVER_ISOLATION_PROTOCOL_H_

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "model/image/decode.h"
#include "model/image/transform.h"
#include "server/task.h"

namespace groupmamba {

// What the process inherits beside the standard streams.
inline constexpr int kDecoderSocket = 3;
inline constexpr int kDecoderMemory = 4;

// The first message, from the server; the process, once it is confined, answers
// it with a DecoderReply of kPrepared.
struct DecoderSetup {
  DecodeLimits limits;
  int jpeg_oversampling = 0;
  // The memory: first the bytes of a picture, then its pixels.
  int64_t in_bytes = 0;
  int64_t out_bytes = 0;
};

struct DecoderRequest {
  uint64_t number = 0;  // comes back with the reply; 0: the setup's
  Picture::Kind kind = Picture::Kind::kNone;
  int64_t bytes = 0;
  int64_t width = 0;
  int64_t height = 0;
  TransformSpec spec;
  int64_t out_bytes = 0;
};

struct DecoderReply {
  enum Outcome : uint32_t {
    kPrepared,
    kRefused,  // INVALID_ARGUMENT with the text
    kFailed,   // the process lives on; the text is for the log
  };
  uint64_t number = 0;
  Outcome outcome = kPrepared;
  uint32_t text_bytes = 0;
  char text[512] = {};
};

// False: the other side is gone.
template <typename Message>
bool SendMessage(int socket, const Message& message) {
  static_assert(std::is_trivially_copyable_v<Message>);
  ssize_t sent = -1;
  do {
    sent = send(socket, &message, sizeof(message), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == ssize_t{sizeof(message)};
}

// Waits. False: the other side is gone, or what it said is no such message.
template <typename Message>
bool ReceiveMessage(int socket, Message* message) {
  static_assert(std::is_trivially_copyable_v<Message>);
  ssize_t received = -1;
  do {
    received = recv(socket, message, sizeof(*message), MSG_TRUNC);
  } while (received < 0 && errno == EINTR);
  return received == ssize_t{sizeof(*message)};
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_ISOLATION_PROTOCOL_H_
