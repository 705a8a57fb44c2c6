// Why a request ended, and the status code that this means to a client: the one
// table of both. Every message that a client reads is made here or by the
// decoder.

#ifndef GROUPMAMBA_SERVER_STATUS_MAP_H_
#define GROUPMAMBA_SERVER_STATUS_MAP_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace groupmamba {

enum class Reason {
  kNoPicture,
  kBadShape,
  kTooManyPixels,
  kModelNotNamed,
  kBadVersion,
  kBadTensor,
  kBadBatch,
  kBadParameter,
  kUnknownModel,
  kUnknownVersion,
  kQueueFull,
  kBytesFull,
  kLate,
  kOverShare,
  kExpired,
  kCancelled,
  kLoading,
  kDraining,
  kNoModelControl,
  kLoadFailed,
  kNoToken,
  kWrongToken,
  kNotAllowed,
  kDecoderCrash,
  kModelFailed,
  kBadOutput,
  kInternal,
};
inline constexpr int kReasonCount = static_cast<int>(Reason::kInternal) + 1;

// "queue_full", ...: a closed set, fit for a metric's label.
absl::string_view ReasonName(Reason reason);

// The reason's code with the message "<reason>: <sentence>".
absl::Status Error(Reason reason);

// The same with another sentence. It may hold safe numbers; never a path, an
// address, text of a library or of a client.
absl::Status Error(Reason reason, absl::string_view sentence);

// The same for who may try again after `pause`, at least a millisecond: for
// reasons with RESOURCE_EXHAUSTED.
absl::Status Refusal(Reason reason, Duration pause);

// The pause of a Refusal; 0: `status` has none.
Duration PauseOf(const absl::Status& status);

// What a client may see of `status`. Codes with messages of ours pass;
// everything else (a library's error, a forgotten path) becomes kInternal's own
// sentence.
absl::Status ForClient(const absl::Status& status);

}  // namespace groupmamba

#endif  // GROUPMAMBA_SERVER_STATUS_MAP_H_
