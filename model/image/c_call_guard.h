// The way out of C libraries that report an error by a callback which must not
// return. setjmp and longjmp appear here and nowhere else. Private to
// model/image.

#ifndef GROUPMAMBA_MODEL_IMAGE_C_CALL_GUARD_H_
#define GROUPMAMBA_MODEL_IMAGE_C_CALL_GUARD_H_

#include <csetjmp>

#include "absl/status/status.h"
#include "model/image/codec.h"

namespace groupmamba {

class CCallGuard {
 public:
  // Runs `calls`. Returns OK, or the error of the fault given to Abandon()
  // meanwhile. Abandoning runs no destructors: `calls`, and what it calls, must
  // hold nothing that has one.
  template <typename Calls>
  absl::Status Run(const Calls& calls) {
    if (setjmp(jump_) != 0) return ImageError(fault_);
    calls();
    return absl::OkStatus();
  }

  // Ends the Run() that is in progress. To be called from a library's
  // callbacks.
  [[noreturn]] void Abandon(ImageFault fault) {
    fault_ = fault;
    std::longjmp(jump_, 1);
  }

 private:
  std::jmp_buf jump_;
  ImageFault fault_ = ImageFault::kCorrupt;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_IMAGE_C_CALL_GUARD_H_
