#include "server/status_map.h"

#include "gtest/gtest.h"

namespace groupmamba {
namespace {

using absl::StatusCode;

TEST(StatusMapTest, EveryReasonHasTheCodeThatTheDesignGivesIt) {
  const struct {
    Reason reason;
    StatusCode code;
  } table[] = {
      {Reason::kNoPicture, StatusCode::kInvalidArgument},
      {Reason::kBadShape, StatusCode::kInvalidArgument},
      {Reason::kTooManyPixels, StatusCode::kInvalidArgument},
      {Reason::kModelNotNamed, StatusCode::kInvalidArgument},
      {Reason::kBadVersion, StatusCode::kInvalidArgument},
      {Reason::kBadTensor, StatusCode::kInvalidArgument},
      {Reason::kBadBatch, StatusCode::kInvalidArgument},
      {Reason::kBadParameter, StatusCode::kInvalidArgument},
      {Reason::kUnknownModel, StatusCode::kNotFound},
      {Reason::kUnknownVersion, StatusCode::kNotFound},
      {Reason::kQueueFull, StatusCode::kResourceExhausted},
      {Reason::kBytesFull, StatusCode::kResourceExhausted},
      {Reason::kExpired, StatusCode::kDeadlineExceeded},
      {Reason::kCancelled, StatusCode::kCancelled},
      {Reason::kLoading, StatusCode::kUnavailable},
      {Reason::kDraining, StatusCode::kUnavailable},
      {Reason::kNoModelControl, StatusCode::kUnavailable},
      {Reason::kModelFailed, StatusCode::kInternal},
      {Reason::kBadOutput, StatusCode::kInternal},
      {Reason::kInternal, StatusCode::kInternal},
  };
  for (const auto& row : table) {
    const absl::Status status = Error(row.reason);
    EXPECT_EQ(status.code(), row.code) << ReasonName(row.reason);
    EXPECT_EQ(status.message().substr(0, status.message().find(':')),
              ReasonName(row.reason));
    EXPECT_EQ(ForClient(status), status) << ReasonName(row.reason);
  }
}

TEST(StatusMapTest, ASentenceOfOnesOwnFollowsTheReason) {
  EXPECT_EQ(Error(Reason::kBadShape, "3 is not 4").message(),
            "bad_shape: 3 is not 4");
}

TEST(StatusMapTest, TextsOfLibrariesNeverReachAClient) {
  for (StatusCode code :
       {StatusCode::kInternal, StatusCode::kUnknown,
        StatusCode::kFailedPrecondition, StatusCode::kDataLoss,
        StatusCode::kAborted, StatusCode::kOutOfRange,
        StatusCode::kUnimplemented, StatusCode::kAlreadyExists}) {
    const absl::Status shown =
        ForClient(absl::Status(code, "/srv/models/a: at::Error in foo.cpp"));
    EXPECT_EQ(shown, Error(Reason::kInternal));
  }
}

TEST(StatusMapTest, OkStaysOk) {
  EXPECT_TRUE(ForClient(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace groupmamba
