#include "tests/testing/raw_http2.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace groupmamba::testing {
namespace {

std::string BigEndian(uint32_t value, int count) {
  std::string bytes;
  for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

// An HPACK string without Huffman's code, shorter than 127 bytes.
std::string Text(const std::string& text) {
  return static_cast<char>(text.size()) + text;
}

}  // namespace

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream,
                  const std::string& payload) {
  return BigEndian(static_cast<uint32_t>(payload.size()), 3) +
         static_cast<char>(type) + static_cast<char>(flags) +
         BigEndian(stream, 4) + payload;
}

std::string Preface() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0);
}

std::string ClassifyHeaders() {
  return "\x83\x86"  // :method POST, :scheme http, from the static table
         "\x04" +
         Text("/groupmamba.v1.Classifier/Classify") + "\x01" +
         Text("localhost") + "\x0f\x10" + Text("application/grpc") +
         std::string(1, '\0') + Text("te") + Text("trailers");
}

std::string MessagePrefix(uint32_t size) {
  return std::string(1, '\0') + BigEndian(size, 4);
}

RawConnection::RawConnection(int port, bool tls) {
  signal(SIGPIPE, SIG_IGN);
  const std::string address = "127.0.0.1:" + std::to_string(port);
  if (tls) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context, h2, sizeof(h2));
    connection_ = BIO_new_ssl_connect(context);
    SSL_CTX_free(context);
    BIO_set_conn_hostname(connection_, address.c_str());
  } else {
    connection_ = BIO_new_connect(address.c_str());
  }
  if (BIO_do_connect(connection_) != 1) {
    BIO_free_all(connection_);
    connection_ = nullptr;
    return;
  }
  const timeval wait = {20, 0};
  int fd = -1;
  BIO_get_fd(connection_, &fd);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

RawConnection::~RawConnection() {
  if (connection_ != nullptr) BIO_free_all(connection_);
  ERR_clear_error();
}

bool RawConnection::Send(const std::string& bytes) {
  return connection_ != nullptr &&
         BIO_write(connection_, bytes.data(), static_cast<int>(bytes.size())) ==
             static_cast<int>(bytes.size());
}

bool RawConnection::AwaitEnd() {
  char buffer[4096];
  int got = 0;
  while (connection_ != nullptr &&
         (got = BIO_read(connection_, buffer, sizeof(buffer))) > 0) {
  }
  return connection_ == nullptr || got == 0 ||
         (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace groupmamba::testing
