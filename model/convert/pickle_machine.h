// What a pickle's opcodes do to values: the stack, the memo, and the functions
// that a state dict needs. Torch-free.

#ifndef GROUPMAMBA_MODEL_CONVERT_PICKLE_MACHINE_H_
#define GROUPMAMBA_MODEL_CONVERT_PICKLE_MACHINE_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/convert/pickle.h"

namespace groupmamba {

inline constexpr size_t kMaxPickleName = 256;  // bytes of a module or a class

// Values are told by their index. Errors are INVALID_ARGUMENT and go on from
// "the pickle ...": a limit, an empty stack, a wrong kind.
//
// Thread-safety: one thread at a time.
class PickleMachine {
 public:
  using Kind = PickleValue::Kind;

  explicit PickleMachine(const PickleLimits& limits) : limits_(limits) {}

  // The stack. A mark is where a container's items begin; nothing below the
  // last one can be reached.
  absl::Status Push(PickleValue value);
  absl::StatusOr<int> PopIndex();
  absl::StatusOr<std::vector<int>> PopToMark();
  absl::Status Mark();
  absl::Status Duplicate();

  // Containers: of the topmost values, of those above the mark.
  absl::Status PushTuple(int count);
  absl::Status PushFromMark(Kind kind);
  absl::Status AddFew(int count);
  absl::Status AddFromMark();

  // The memo.
  absl::Status Remember(uint32_t place);
  absl::Status RememberNext() {
    return Remember(static_cast<uint32_t>(memo_.size()));
  }
  absl::Status Recall(uint32_t place);

  // Classes, and what Python would call.
  absl::Status PushGlobal(absl::string_view module, absl::string_view name);
  absl::Status StackGlobal();
  absl::Status Reduce();
  absl::Status NewObject();
  absl::Status NewObjectEx();
  absl::Status Build();
  absl::Status PersistentId();

  // Once, last.
  absl::StatusOr<Pickle> Finish();

 private:
  PickleValue& At(int index) { return result_.values[index]; }
  absl::StatusOr<int> Top();
  absl::Status PushIndex(int index);
  absl::Status PushOpaque(int made_by);
  absl::Status Add(int container, const std::vector<int>& items);
  absl::Status AddToTop(const std::vector<int>& items);

  // The functions that are known.
  absl::Status MakeOrderedDict(const std::vector<int>& arguments);
  absl::Status RebuildTensor(const std::vector<int>& arguments);
  absl::Status RebuildParameter(const std::vector<int>& arguments);

  const PickleLimits limits_;
  std::vector<int> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, int> memo_;
  size_t items_ = 0;  // in all containers together
  Pickle result_;
};

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONVERT_PICKLE_MACHINE_H_
