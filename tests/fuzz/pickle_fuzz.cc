// The restricted pickle machine. What it accepts must be whole: every index
// leads to a value, tensors and storages have the parts that they promise.

#include <cstdlib>

#include "model/convert/pickle.h"

namespace groupmamba {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const Pickle& pickle) {
  using Kind = PickleValue::Kind;
  const auto count = static_cast<int>(pickle.values.size());
  Require(pickle.root >= 0 && pickle.root < count);
  for (int index = 0; index < count; ++index) {
    const PickleValue& value = pickle.values[index];
    for (const int item : value.items) Require(item >= 0 && item < count);
    const auto kind_of = [&](int i) {
      return pickle.values[value.items.at(i)].kind;
    };
    if (value.kind == Kind::kDict) Require(value.items.size() % 2 == 0);
    if (value.kind == Kind::kStorage) {
      Require(kind_of(0) == Kind::kGlobal && kind_of(1) == Kind::kText);
    }
    if (value.kind == Kind::kTensor) {
      Require(kind_of(0) == Kind::kStorage && kind_of(1) == Kind::kInt &&
              kind_of(2) == Kind::kTuple && kind_of(3) == Kind::kTuple);
    }
    DescribePickleValue(pickle, index);
  }
}

}  // namespace
}  // namespace groupmamba

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto pickle = groupmamba::ReadPickle(absl::MakeConstSpan(data, size));
  if (pickle.ok()) groupmamba::Check(*pickle);
  return 0;
}
