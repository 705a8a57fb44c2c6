#include "server/status_map.h"

#include <iterator>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace groupmamba {
namespace {

using absl::StatusCode;

// Names a Refusal's payload: milliseconds.
constexpr char kPauseType[] = "groupmamba.pause_ms";

struct Row {
  Reason reason;
  absl::string_view name;
  StatusCode code;
  absl::string_view sentence;
};

// In the order of the enumeration.
constexpr Row kTable[] = {
    {Reason::kNoPicture, "no_picture", StatusCode::kInvalidArgument,
     "the request holds no picture"},
    {Reason::kBadShape, "bad_shape", StatusCode::kInvalidArgument,
     "the pixels do not fit the size that the request states"},
    {Reason::kTooManyPixels, "too_many_pixels", StatusCode::kInvalidArgument,
     "the picture has more pixels than the server takes"},
    {Reason::kModelNotNamed, "model_not_named", StatusCode::kInvalidArgument,
     "this server has several models and no default; name one"},
    {Reason::kBadVersion, "bad_version", StatusCode::kInvalidArgument,
     "a version is a positive number"},
    {Reason::kBadTensor, "bad_tensor", StatusCode::kInvalidArgument,
     "the tensors are not what the model takes; its metadata tells"},
    {Reason::kBadBatch, "bad_batch", StatusCode::kInvalidArgument,
     "the request holds no picture, or more than the server takes at once"},
    {Reason::kBadParameter, "bad_parameter", StatusCode::kInvalidArgument,
     "a parameter has a wrong type or value"},
    // The V2 protocol's clients look for the sentence's beginning.
    {Reason::kUnknownModel, "unknown_model", StatusCode::kNotFound,
     "Request for unknown model; ask the server which models it has"},
    {Reason::kUnknownVersion, "unknown_version", StatusCode::kNotFound,
     "this server does not serve that version of the model"},
    {Reason::kQueueFull, "queue_full", StatusCode::kResourceExhausted,
     "as many requests wait as the server takes; try again later"},
    {Reason::kBytesFull, "bytes_full", StatusCode::kResourceExhausted,
     "the waiting pictures hold as many bytes as the server takes; try again "
     "later"},
    {Reason::kLate, "late", StatusCode::kResourceExhausted,
     "so many wait that the answer might not be there before the deadline; try "
     "again later, try another server or allow more time"},
    {Reason::kOverShare, "over_share", StatusCode::kResourceExhausted,
     "as many requests of this client wait as its share allows; send fewer at "
     "a time, or try again later"},
    {Reason::kExpired, "expired", StatusCode::kDeadlineExceeded,
     "the deadline passed before the answer was there"},
    {Reason::kCancelled, "cancelled", StatusCode::kCancelled,
     "the caller went away"},
    {Reason::kLoading, "loading", StatusCode::kUnavailable,
     "the model is being loaded"},
    {Reason::kDraining, "draining", StatusCode::kUnavailable,
     "the server is shutting down; try another"},
    {Reason::kNoModelControl, "no_model_control", StatusCode::kUnavailable,
     "models are not loaded or unloaded through this port"},
    {Reason::kLoadFailed, "load_failed", StatusCode::kFailedPrecondition,
     "the model could not be loaded, and the server's log says why; what it "
     "served before it serves on"},
    {Reason::kNoToken, "no_token", StatusCode::kUnauthenticated,
     "this server asks for a token, in the header 'authorization: Bearer "
     "TOKEN'"},
    {Reason::kWrongToken, "wrong_token", StatusCode::kUnauthenticated,
     "the server does not know this token"},
    {Reason::kNotAllowed, "not_allowed", StatusCode::kPermissionDenied,
     "this token does not allow that call"},
    {Reason::kDecoderCrash, "decoder_crash", StatusCode::kInternal,
     "the decoder failed on this picture"},
    {Reason::kModelFailed, "model_failed", StatusCode::kInternal,
     "the model failed on this picture"},
    {Reason::kBadOutput, "bad_output", StatusCode::kInternal,
     "the model gave a value that is not finite"},
    {Reason::kInternal, "internal", StatusCode::kInternal,
     "the server failed on this request"},
};

constexpr bool RowsStandInOrder() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    if (kTable[i].reason != static_cast<Reason>(i)) return false;
  }
  return std::size(kTable) == kReasonCount;
}
static_assert(RowsStandInOrder());

const Row& RowOf(Reason reason) { return kTable[static_cast<size_t>(reason)]; }

}  // namespace

absl::string_view ReasonName(Reason reason) { return RowOf(reason).name; }

absl::Status Error(Reason reason) {
  return Error(reason, RowOf(reason).sentence);
}

absl::Status Error(Reason reason, absl::string_view sentence) {
  const Row& row = RowOf(reason);
  return absl::Status(row.code, absl::StrCat(row.name, ": ", sentence));
}

absl::Status Refusal(Reason reason, Duration pause) {
  absl::Status status = Error(reason);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(pause);
  status.SetPayload(kPauseType, absl::Cord(absl::StrCat(ms.count())));
  return status;
}

Duration PauseOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPauseType);
  int64_t ms = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &ms)) {
    return Duration::zero();
  }
  return std::chrono::milliseconds(ms);
}

absl::Status ForClient(const absl::Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kResourceExhausted:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled:
    case StatusCode::kUnauthenticated:
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnavailable:
      return status;
    default:
      break;
  }
  for (Reason reason : {Reason::kDecoderCrash, Reason::kModelFailed,
                        Reason::kBadOutput, Reason::kLoadFailed}) {
    if (status == Error(reason)) return status;
  }
  return Error(Reason::kInternal);
}

}  // namespace groupmamba
