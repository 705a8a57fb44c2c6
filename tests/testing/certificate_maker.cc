#include "tests/testing/certificate_maker.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdlib>

namespace groupmamba::testing {
namespace {

constexpr int64_t kDaySeconds = 86400;

EVP_PKEY* MakeKey() { return EVP_EC_gen("P-256"); }

template <typename Write>
std::string ToPem(const Write& write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  if (write(bio) != 1) std::abort();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, size);
  BIO_free(bio);
  return text;
}

void Extend(X509* certificate, int id, const char* value) {
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
  if (extension == nullptr) std::abort();
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// `issuer` null: itself.
X509* MakeCertificate(const std::string& name, EVP_PKEY* key,
                      const X509* issuer, EVP_PKEY* issuer_key, int days) {
  static std::atomic<int> serial = 1;
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate),
                  (days < 0 ? 2 * days : -1) * kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * kDaySeconds);
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate,
                       X509_get_subject_name(issuer ? issuer : certificate));
  X509_set_pubkey(certificate, key);
  if (issuer == nullptr) {
    Extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    Extend(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  }
  if (X509_sign(certificate, issuer_key, EVP_sha256()) == 0) std::abort();
  return certificate;
}

std::string PemOf(const X509* certificate) {
  return ToPem([=](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(MakeKey()),
      certificate_(MakeCertificate(name, key_, nullptr, key_, 30)) {}

Authority::~Authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

std::string Authority::certificate() const { return PemOf(certificate_); }

Identity Authority::Issue(const std::string& name, int days) const {
  EVP_PKEY* const key = MakeKey();
  X509* const certificate =
      MakeCertificate(name, key, certificate_, key_, days);
  Identity identity = {PemOf(certificate), ToPem([=](BIO* bio) {
                         return PEM_write_bio_PrivateKey(
                             bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                       })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

}  // namespace groupmamba::testing
