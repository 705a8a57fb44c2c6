#include "server/tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "model/file.h"

namespace groupmamba {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

}  // namespace

std::optional<absl::string_view> BearerToken(absl::string_view authorization) {
  // The scheme's name has no case (RFC 7235).
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return std::nullopt;
  return absl::StripAsciiWhitespace(
      absl::ClippedSubstr(authorization, kScheme.size()));
}

absl::StatusOr<Tokens::Token> Tokens::ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (parts.size() < 2) {
    return Wrong("a line is the token's SHA-256, its scopes, and maybe a name");
  }
  Token token;
  if (parts[0].size() != 2 * token.hash.size() ||
      !std::all_of(parts[0].begin(), parts[0].end(), absl::ascii_isxdigit)) {
    return Wrong("a SHA-256 is 64 hexadecimal digits");
  }
  const std::string bytes = absl::HexStringToBytes(parts[0]);
  std::copy(bytes.begin(), bytes.end(), token.hash.begin());
  for (const absl::string_view scope : absl::StrSplit(parts[1], ',')) {
    if (scope == "classify") {
      token.classify = true;
    } else if (scope == "admin") {
      token.admin = true;
    } else {
      return Wrong("a scope is classify or admin");
    }
  }
  return token;
}

absl::StatusOr<Tokens::List> Tokens::Parse(absl::string_view text) {
  List list;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    if (list.size() == kMaxTokens) {
      return Wrong(absl::StrCat("more than ", kMaxTokens, " tokens"));
    }
    absl::StatusOr<Token> token = ParseLine(line);
    if (!token.ok()) {
      return Wrong(
          absl::StrCat("line ", number, ": ", token.status().message()));
    }
    list.push_back(*token);
  }
  if (list.empty()) return Wrong("no token");
  return list;
}

absl::StatusOr<std::unique_ptr<Tokens>> Tokens::Load(const std::string& path) {
  std::unique_ptr<Tokens> tokens(new Tokens(path));
  GM_RETURN_IF_ERROR(tokens->Reload());
  return tokens;
}

absl::Status Tokens::Reload() {
  GM_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                      ReadRegularFile(path_, kMaxFileBytes));
  absl::StatusOr<List> list =
      Parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!list.ok()) return InFile(path_, list.status());
  MutexLock lock(&mutex_);
  list_ = std::make_shared<const List>(*std::move(list));
  return absl::OkStatus();
}

std::optional<Reason> Tokens::Refuse(absl::string_view authorization,
                                     Scope scope) const {
  if (scope == Scope::kNone) return std::nullopt;
  const std::optional<absl::string_view> token = BearerToken(authorization);
  if (!token.has_value()) return Reason::kNoToken;
  std::array<uint8_t, 32> hash;
  SHA256(reinterpret_cast<const uint8_t*>(token->data()), token->size(),
         hash.data());
  std::shared_ptr<const List> list;
  {
    MutexLock lock(&mutex_);
    list = list_;
  }
  // To the end, wherever it is found.
  bool known = false;
  bool allowed = false;
  for (const Token& one : *list) {
    const bool same =
        CRYPTO_memcmp(one.hash.data(), hash.data(), hash.size()) == 0;
    known |= same;
    allowed |= same && (scope == Scope::kAdmin ? one.admin : one.classify);
  }
  if (!known) return Reason::kWrongToken;
  if (!allowed) return Reason::kNotAllowed;
  return std::nullopt;
}

}  // namespace groupmamba
