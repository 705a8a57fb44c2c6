// Reads a pickle as data. Python's own reader calls whatever a pickle names;
// this one calls nothing: it knows the few functions of a PyTorch state dict by
// name and does their work itself, and keeps every other object as an opaque
// value that is only good for being passed over. Torch-free.
//
// The machine is a stack, a memo and a program of one-byte opcodes (Python's
// pickletools). It takes the binary opcodes of protocols 2 to 5, which is what
// PyTorch writes, and refuses the others by name. Its values are an array, and
// refer to each other by index: a value that is deep, shared or part of a
// circle costs no recursion.

#ifndef GROUPMAMBA_MODEL_CONVERT_PICKLE_H_
#define GROUPMAMBA_MODEL_CONVERT_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace groupmamba {

// What a pickle may make before it is refused.
struct PickleLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_opcodes = 10'000'000;
  size_t max_items = 10'000'000;  // in all containers together
  size_t max_values = 2'000'000;
  size_t max_memo = 1'000'000;
  size_t max_stack = 100'000;
  int max_depth = 100;  // of marks, and of containers in containers
};

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,     // number
    kInt,      // number
    kFloat,    // its value is not kept
    kText,     // text
    kBytes,    // likewise not kept
    kList,     // items; a set as well
    kTuple,    // items
    kDict,     // items: key, value, key, value, ... in the order they were set
    kGlobal,   // text: module.name
    kStorage,  // number: its elements; items: its class (kGlobal), its key
    kTensor,   // items: storage, offset, sizes, strides, of the right kinds
    kOpaque,   // items: the class, or the function that would have made it
  };

  Kind kind = Kind::kNone;
  int depth = 1;
  int64_t number = 0;
  std::string text = {};
  std::vector<int> items = {};  // indices of values
};

struct Pickle {
  std::vector<PickleValue> values;
  int root = 0;

  // Classes and functions of opaque values: what Python would have called.
  std::set<std::string> opaque;
};

// Errors: INVALID_ARGUMENT with what is wrong and where: an opcode that is not
// taken, a limit, an end in the middle, bytes behind the end, wrong arguments
// of a function that is known.
absl::StatusOr<Pickle> ReadPickle(absl::Span<const uint8_t> bytes,
                                  const PickleLimits& limits = {});

// "a list", "a tensor", "a "posix.system"": value `index`, for messages.
std::string DescribePickleValue(const Pickle& pickle, int index);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONVERT_PICKLE_H_
