// SHA-256 of bytes that come in pieces. Torch-free.

#ifndef GROUPMAMBA_MODEL_SHA256_H_
#define GROUPMAMBA_MODEL_SHA256_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/types/span.h"

typedef struct evp_md_ctx_st EVP_MD_CTX;  // OpenSSL's, without its header

namespace groupmamba {

// Thread-safety: one thread at a time.
class Sha256 {
 public:
  Sha256();

  void Update(absl::Span<const uint8_t> bytes);

  // 64 lower-case hexadecimal digits. Once, last.
  std::string HexDigest();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const;
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// The same of bytes that are all there.
std::string Sha256Hex(absl::Span<const uint8_t> bytes);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_SHA256_H_
