// Early return on an absl::Status that is not OK.

#ifndef GROUPMAMBA_BASE_STATUS_MACROS_H_
#define GROUPMAMBA_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expr`, an absl::Status, is not OK.
#define GM_RETURN_IF_ERROR(expr)                              \
  do {                                                        \
    if (absl::Status gm_status_ = (expr); !gm_status_.ok()) { \
      return gm_status_;                                      \
    }                                                         \
  } while (false)

// Evaluates `rexpr`, an absl::StatusOr<T>; returns its error, or moves its
// value into `lhs`, which may declare a variable.
#define GM_ASSIGN_OR_RETURN(lhs, rexpr) \
  GM_ASSIGN_OR_RETURN_IMPL_(GM_CONCAT_(gm_status_or_, __LINE__), lhs, rexpr)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration takes none.
#define GM_CONCAT_INNER_(a, b) a##b
#define GM_CONCAT_(a, b) GM_CONCAT_INNER_(a, b)
#define GM_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, rexpr) \
  auto tmp = (rexpr);                              \
  if (!tmp.ok()) {                                 \
    return std::move(tmp).status();                \
  }                                                \
  lhs = std::move(tmp).value()
// NOLINTEND(bugprone-macro-parentheses)

#endif  // GROUPMAMBA_BASE_STATUS_MACROS_H_
