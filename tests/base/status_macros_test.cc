#include "base/status_macros.h"

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace groupmamba {
namespace {

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::Status CheckHalf(int n, int* out) {
  GM_ASSIGN_OR_RETURN(int half, Half(n));
  GM_ASSIGN_OR_RETURN(*out, Half(half));
  return absl::OkStatus();
}

absl::Status CheckBoth(absl::Status a, absl::Status b) {
  GM_RETURN_IF_ERROR(a);
  GM_RETURN_IF_ERROR(b);
  return absl::OkStatus();
}

TEST(StatusMacrosTest, AssignOrReturnGivesTheValueOrTheFirstError) {
  int out = 0;
  EXPECT_TRUE(CheckHalf(12, &out).ok());
  EXPECT_EQ(out, 3);
  EXPECT_EQ(CheckHalf(7, &out), absl::InvalidArgumentError("odd"));
  EXPECT_EQ(CheckHalf(6, &out), absl::InvalidArgumentError("odd"));
  EXPECT_EQ(out, 3);
}

TEST(StatusMacrosTest, ReturnIfErrorStopsAtTheFirstError) {
  EXPECT_TRUE(CheckBoth(absl::OkStatus(), absl::OkStatus()).ok());
  EXPECT_EQ(CheckBoth(absl::OkStatus(), absl::AbortedError("b")).message(),
            "b");
  EXPECT_EQ(
      CheckBoth(absl::AbortedError("a"), absl::AbortedError("b")).message(),
      "a");
}

}  // namespace
}  // namespace groupmamba
