#include "server/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/file.h"

namespace groupmamba {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;

template <typename T, void (*free)(T*)>
struct Free {
  void operator()(T* pointer) const { free(pointer); }
};
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio Read(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Instead of OpenSSL's own, which would ask a terminal for the password.
int NoPassword(char*, int, int, void*) { return 0; }

// Every certificate of `text`; none where one cannot be read.
std::vector<Certificate> ReadCertificates(const std::string& text) {
  std::vector<Certificate> all;
  const Bio bio = Read(text);
  while (Certificate one{
      PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)}) {
    all.push_back(std::move(one));
  }
  // It ends by finding no further one, or one that is broken.
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) all.clear();
  return all;
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                      ReadRegularFile(path, kMaxFileBytes));
  return std::string(bytes.begin(), bytes.end());
}

absl::Status Wrong(const std::string& path, const char* what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::Status Check(const TlsOptions& files, Certificates::Pem* pem) {
  const std::vector<Certificate> chain = ReadCertificates(pem->certificate);
  if (chain.empty()) return Wrong(files.certificate, "no certificate in PEM");
  const Key key(PEM_read_bio_PrivateKey(Read(pem->key).get(), nullptr,
                                        NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return Wrong(files.key, "no private key in PEM without a password");
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return Wrong(files.key, "the key is not the certificate's");
  }
  const ASN1_TIME* end = X509_get0_notAfter(chain.front().get());
  std::tm expires = {};
  if (ASN1_TIME_to_tm(end, &expires) != 1 || X509_cmp_current_time(end) <= 0) {
    return Wrong(files.certificate, "the certificate has expired");
  }
  pem->expires = timegm(&expires);
  if (!files.client_authorities.empty() &&
      ReadCertificates(pem->client_authorities).empty()) {
    return Wrong(files.client_authorities, "no certificate in PEM");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Load(
    const TlsOptions& options) {
  std::unique_ptr<Certificates> certificates(new Certificates(options));
  GM_RETURN_IF_ERROR(certificates->Reload());
  return certificates;
}

absl::Status Certificates::Reload() {
  auto read = std::make_shared<Pem>();
  GM_ASSIGN_OR_RETURN(read->certificate, ReadText(options_.certificate));
  GM_ASSIGN_OR_RETURN(read->key, ReadText(options_.key));
  if (wants_clients()) {
    GM_ASSIGN_OR_RETURN(read->client_authorities,
                        ReadText(options_.client_authorities));
  }
  GM_RETURN_IF_ERROR(Check(options_, read.get()));
  MutexLock lock(&mutex_);
  if (current_ == nullptr || read->certificate != current_->certificate ||
      read->key != current_->key ||
      read->client_authorities != current_->client_authorities) {
    current_ = std::move(read);
  }
  return absl::OkStatus();
}

std::shared_ptr<const Certificates::Pem> Certificates::current() const {
  MutexLock lock(&mutex_);
  return current_;
}

}  // namespace groupmamba
