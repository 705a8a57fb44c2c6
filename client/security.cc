#include "client/security.h"

#include <netdb.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace groupmamba::client {
namespace {

absl::StatusOr<std::string> ReadText(const char* option,
                                     const std::string& path) {
  std::ostringstream text;
  std::ifstream file(path, std::ios::binary);
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": cannot read ", path, ", or it is empty"));
  }
  return text.str();
}

// A header's value holds visible ASCII; gRPC ends the process over another.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  GM_ASSIGN_OR_RETURN(std::string token, ReadText("--token-file", path));
  absl::StripAsciiWhitespace(&token);
  for (const char c : token) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(
          "--token-file: a token is one line of visible ASCII characters");
    }
  }
  return token;
}

// What a client of TLS says first.
std::string ClientHello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  BIO* const sent = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), sent);
  SSL_connect(ssl);  // goes as far as it can without an answer
  char* data = nullptr;
  const long size = BIO_get_mem_data(sent, &data);
  std::string hello(data, size);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

}  // namespace

absl::StatusOr<Security> LoadSecurity(const SecurityOptions& options) {
  Security security;
  if (!options.token_file.empty()) {
    GM_ASSIGN_OR_RETURN(const std::string token, ReadToken(options.token_file));
    security.authorization = absl::StrCat("Bearer ", token);
  }
  if (options.tls_ca.empty()) {
    if (!options.tls_cert.empty() || !options.server_name.empty()) {
      return absl::InvalidArgumentError(
          "--tls-cert and --tls-server-name: need --tls-ca, which turns on "
          "TLS");
    }
    security.credentials = grpc::InsecureChannelCredentials();
    return security;
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key: one is of no use without the other");
  }
  grpc::SslCredentialsOptions tls;
  GM_ASSIGN_OR_RETURN(tls.pem_root_certs, ReadText("--tls-ca", options.tls_ca));
  if (!options.tls_cert.empty()) {
    GM_ASSIGN_OR_RETURN(tls.pem_cert_chain,
                        ReadText("--tls-cert", options.tls_cert));
    GM_ASSIGN_OR_RETURN(tls.pem_private_key,
                        ReadText("--tls-key", options.tls_key));
  }
  security.credentials = grpc::SslCredentials(tls);
  return security;
}

bool SpeaksTls(const std::string& target) {
  const size_t colon = target.rfind(':');
  if (colon == std::string::npos) return false;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(target.substr(0, colon).c_str(), target.c_str() + colon + 1,
                  &hints, &found) != 0) {
    return false;
  }
  bool tls = false;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval second = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
  const std::string hello = ClientHello();
  if (connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
      send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) > 0) {
    // A handshake record, or an alert.
    unsigned char type = 0;
    tls = recv(fd, &type, 1, 0) == 1 && (type == 22 || type == 21);
  }
  close(fd);
  freeaddrinfo(found);
  return tls;
}

}  // namespace groupmamba::client
