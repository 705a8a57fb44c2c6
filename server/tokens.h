// Who may call: bearer tokens from a file that holds only their hashes.
//
//   # a comment
//   <SHA-256 of the token, 64 hexadecimal digits> <scopes> [<name>]
//
// Scopes are "classify", "admin", or both with a comma between; the name is for
// people. Lines are at most kMaxTokens.

#ifndef GROUPMAMBA_SERVER_TOKENS_H_
#define GROUPMAMBA_SERVER_TOKENS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "server/status_map.h"

namespace groupmamba {

inline constexpr size_t kMaxTokens = 1000;

// The token in the value of a header `authorization`; none: nullopt.
std::optional<absl::string_view> BearerToken(absl::string_view authorization);

enum class Scope {
  kNone,      // whoever asks
  kClassify,  // calls that ask about pictures and models
  kAdmin,     // calls that change the server, or are on its admin listener
};

// Thread-safe.
class Tokens {
 public:
  // Errors: INVALID_ARGUMENT, with the line's number, or what reading gave.
  static absl::StatusOr<std::unique_ptr<Tokens>> Load(const std::string& path);

  // Reads the file again; an error leaves the old tokens in use.
  absl::Status Reload();

  // Whether a call with this value of the header `authorization`, maybe none,
  // may do what needs `scope`. Takes as long for a wrong token as for a right
  // one. None, or why not: kNoToken, kWrongToken or kNotAllowed.
  std::optional<Reason> Refuse(absl::string_view authorization,
                               Scope scope) const;

 private:
  struct Token {
    std::array<uint8_t, 32> hash;
    bool classify = false;
    bool admin = false;
  };
  using List = std::vector<Token>;

  explicit Tokens(std::string path) : path_(std::move(path)) {}

  static absl::StatusOr<Token> ParseLine(absl::string_view line);
  static absl::StatusOr<List> Parse(absl::string_view text);

  const std::string path_;
  mutable Mutex mutex_;
  std::shared_ptr<const List> list_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_TOKENS_H_
