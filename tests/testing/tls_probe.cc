#include "tests/testing/tls_probe.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace groupmamba::testing {

std::string CertificateNameAt(int port, int version) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context, 0);  // or it would refuse old versions
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  const unsigned char h2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context, h2, sizeof(h2));
  BIO* const connection = BIO_new_ssl_connect(context);
  BIO_set_conn_hostname(connection,
                        ("127.0.0.1:" + std::to_string(port)).c_str());
  std::string name;
  if (BIO_do_connect(connection) == 1 && BIO_do_handshake(connection) == 1) {
    SSL* ssl = nullptr;
    BIO_get_ssl(connection, &ssl);
    char text[64] = "";
    X509* const certificate = SSL_get1_peer_certificate(ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                              NID_commonName, text, sizeof(text));
    X509_free(certificate);
    name = text;
  }
  ERR_clear_error();
  BIO_free_all(connection);
  SSL_CTX_free(context);
  return name;
}

}  // namespace groupmamba::testing
