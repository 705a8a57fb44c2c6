// LibTorch's exceptions end here, and become a Status. What they say goes to
// the log, never into a status. For the engines' own files.

#ifndef GROUPMAMBA_MODEL_CATCH_TORCH_H_
#define GROUPMAMBA_MODEL_CATCH_TORCH_H_

#include <exception>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "c10/util/Exception.h"

namespace groupmamba {

// Runs `body`, which returns a Status, and turns what LibTorch (or an
// allocation in it) throws into INTERNAL.
template <typename Body>
absl::Status CatchingTorch(absl::string_view doing, Body body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    Log(LogLevel::kError, "model failed",
        {{"doing", doing}, {"reason", error.what_without_backtrace()}});
  } catch (const std::exception& error) {
    Log(LogLevel::kError, "model failed",
        {{"doing", doing}, {"reason", error.what()}});
  }
  return absl::InternalError("the model failed");
}

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CATCH_TORCH_H_
