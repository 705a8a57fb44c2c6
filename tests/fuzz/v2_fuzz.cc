// A V2 request, as it comes over the wire, read for a model of 32x32 pixels:
// pictures within the message, or INVALID_ARGUMENT.

#include <cstdlib>
#include <string>

#include "server/v2/infer_request.h"
#include "server/v2/model_view.h"
#include "tests/testing/fake_models.h"

namespace groupmamba::v2 {
namespace {

constexpr int kMaxBatch = 4;

void Check(const absl::StatusOr<InferRequest>& request) {
  if (!request.ok()) {
    if (!absl::IsInvalidArgument(request.status())) std::abort();
    return;
  }
  const size_t count = request->pictures.size();
  if (count < 1 || count > kMaxBatch) std::abort();
  // Every byte, so that the address sanitizer sees where it lies.
  volatile uint8_t sum = 0;
  for (const Picture& picture : request->pictures) {
    for (const uint8_t byte : picture.bytes) sum = sum ^ byte;
  }
}

void Run(const inference::ModelInferRequest& message) {
  static Admission admission{{}};
  static Metrics metrics{&admission};
  static const ModelRepository models{
      OneFakeModel({}, &metrics, RealClock::Get()), ""};
  // Whatever model it names, it is read as both inputs.
  for (const ModelView& view : AllViews(models)) {
    Check(ReadInferRequest(message, view, kMaxBatch));
  }
}

}  // namespace
}  // namespace groupmamba::v2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  inference::ModelInferRequest message;
  if (message.ParseFromArray(data, static_cast<int>(size))) {
    groupmamba::v2::Run(message);
  }
  return 0;
}
