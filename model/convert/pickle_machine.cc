#include "model/convert/pickle_machine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Kind = PickleValue::Kind;

// What a hostile pickle lets be read again and again must be short: a tensor's
// shape, the arguments of a function that is known.
constexpr size_t kMaxDimensions = 64;
constexpr size_t kMaxArguments = 64;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace

absl::Status PickleMachine::Push(PickleValue value) {
  if (result_.values.size() == limits_.max_values) {
    return Invalid("makes more than ", limits_.max_values, " values");
  }
  result_.values.push_back(std::move(value));
  return PushIndex(static_cast<int>(result_.values.size()) - 1);
}

absl::Status PickleMachine::PushIndex(int index) {
  if (stack_.size() == limits_.max_stack) {
    return Invalid("needs a stack of more than ", limits_.max_stack);
  }
  stack_.push_back(index);
  return absl::OkStatus();
}

absl::StatusOr<int> PickleMachine::Top() {
  if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) {
    return Invalid("takes a value where there is none");
  }
  return stack_.back();
}

absl::StatusOr<int> PickleMachine::PopIndex() {
  GM_ASSIGN_OR_RETURN(const int index, Top());
  stack_.pop_back();
  return index;
}

absl::StatusOr<std::vector<int>> PickleMachine::PopToMark() {
  if (marks_.empty()) return Invalid("takes items where no mark is");
  const auto first = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  std::vector<int> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

absl::Status PickleMachine::Mark() {
  if (marks_.size() == static_cast<size_t>(limits_.max_depth)) {
    return Invalid("is nested more than ", limits_.max_depth, " deep");
  }
  marks_.push_back(stack_.size());
  return absl::OkStatus();
}

// Adds items to a list, a tuple or a dictionary; an opaque object loses them.
absl::Status PickleMachine::Add(int container, const std::vector<int>& items) {
  PickleValue& to = At(container);
  if (to.kind == Kind::kOpaque) return absl::OkStatus();
  const bool dictionary = to.kind == Kind::kDict;
  if (!dictionary && to.kind != Kind::kList && to.kind != Kind::kTuple) {
    return Invalid("adds items to ", DescribePickleValue(result_, container));
  }
  if (dictionary && items.size() % 2 != 0) {
    return Invalid("has a key without a value");
  }
  items_ += items.size();
  if (items_ > limits_.max_items) {
    return Invalid("puts more than ", limits_.max_items,
                   " items into containers");
  }
  for (const int item : items) {
    to.depth = std::max(to.depth, At(item).depth + 1);
  }
  if (to.depth > limits_.max_depth) {
    return Invalid("is nested more than ", limits_.max_depth, " deep");
  }
  to.items.insert(to.items.end(), items.begin(), items.end());
  return absl::OkStatus();
}

absl::Status PickleMachine::Remember(uint32_t place) {
  GM_ASSIGN_OR_RETURN(const int index, Top());
  memo_[place] = index;
  if (memo_.size() <= limits_.max_memo) return absl::OkStatus();
  return Invalid("remembers more than ", limits_.max_memo, " values");
}

absl::Status PickleMachine::Recall(uint32_t place) {
  const auto found = memo_.find(place);
  if (found == memo_.end()) {
    return Invalid("recalls value ", place, ", which it never remembered");
  }
  return PushIndex(found->second);
}

absl::Status PickleMachine::PushOpaque(int made_by) {
  if (At(made_by).kind == Kind::kOpaque && !At(made_by).items.empty()) {
    made_by = At(made_by).items[0];
  }
  if (At(made_by).kind != Kind::kGlobal) return Push({.kind = Kind::kOpaque});
  result_.opaque.insert(At(made_by).text);
  return Push({.kind = Kind::kOpaque, .items = {made_by}});
}

absl::Status PickleMachine::PushGlobal(absl::string_view module,
                                       absl::string_view name) {
  return Push({.kind = Kind::kGlobal, .text = absl::StrCat(module, ".", name)});
}

absl::Status PickleMachine::Duplicate() {
  GM_ASSIGN_OR_RETURN(const int index, Top());
  return PushIndex(index);
}

absl::Status PickleMachine::AddFew(int count) {
  std::vector<int> items(count);
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    GM_ASSIGN_OR_RETURN(*item, PopIndex());
  }
  return AddToTop(items);
}

absl::Status PickleMachine::AddFromMark() {
  GM_ASSIGN_OR_RETURN(const std::vector<int> items, PopToMark());
  return AddToTop(items);
}

absl::Status PickleMachine::AddToTop(const std::vector<int>& items) {
  GM_ASSIGN_OR_RETURN(const int container, Top());
  if (At(container).kind == Kind::kTuple) {
    return Invalid("adds items to a tuple");
  }
  return Add(container, items);
}

absl::Status PickleMachine::PushTuple(int count) {
  std::vector<int> items(count);
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    GM_ASSIGN_OR_RETURN(*item, PopIndex());
  }
  GM_RETURN_IF_ERROR(Push({.kind = Kind::kTuple}));
  return Add(stack_.back(), items);
}

absl::Status PickleMachine::PushFromMark(Kind kind) {
  GM_ASSIGN_OR_RETURN(const std::vector<int> items, PopToMark());
  GM_RETURN_IF_ERROR(Push({.kind = kind}));
  return Add(stack_.back(), items);
}

absl::StatusOr<Pickle> PickleMachine::Finish() {
  if (stack_.size() != 1 || !marks_.empty()) {
    return Invalid("ends with other than one value");
  }
  result_.root = stack_.back();
  return std::move(result_);
}

absl::Status PickleMachine::StackGlobal() {
  GM_ASSIGN_OR_RETURN(const int name, PopIndex());
  GM_ASSIGN_OR_RETURN(const int module, PopIndex());
  for (const int part : {module, name}) {
    if (At(part).kind != Kind::kText || At(part).text.size() > kMaxPickleName) {
      return Invalid("names a class by something that is no name");
    }
  }
  return PushGlobal(At(module).text, At(name).text);
}

// Where Python calls a function.
absl::Status PickleMachine::Reduce() {
  GM_ASSIGN_OR_RETURN(const int arguments, PopIndex());
  GM_ASSIGN_OR_RETURN(const int function, PopIndex());
  if (At(arguments).kind != Kind::kTuple) {
    return Invalid("calls a function with arguments that are no tuple");
  }
  if (At(function).kind != Kind::kGlobal ||
      At(arguments).items.size() > kMaxArguments) {
    return PushOpaque(function);
  }
  const std::string& name = At(function).text;
  // A copy, since new values may move the old ones.
  const auto items = [&] { return At(arguments).items; };
  if (name == "collections.OrderedDict") return MakeOrderedDict(items());
  if (name == "torch._utils._rebuild_tensor_v2") return RebuildTensor(items());
  if (name == "torch._utils._rebuild_parameter" ||
      name == "torch._utils._rebuild_parameter_with_state") {
    return RebuildParameter(items());
  }
  return PushOpaque(function);
}

// Where Python makes an object of a class.
absl::Status PickleMachine::NewObject() {
  GM_RETURN_IF_ERROR(PopIndex().status());  // its arguments
  GM_ASSIGN_OR_RETURN(const int of_class, PopIndex());
  return PushOpaque(of_class);
}

absl::Status PickleMachine::NewObjectEx() {
  GM_RETURN_IF_ERROR(PopIndex().status());  // its arguments by name
  return NewObject();
}

// Where Python gives an object its attributes: those of a dictionary or tensor
// are none of ours, an opaque object has none.
absl::Status PickleMachine::Build() {
  GM_RETURN_IF_ERROR(PopIndex().status());
  return Top().status();
}

absl::Status PickleMachine::MakeOrderedDict(const std::vector<int>& arguments) {
  GM_RETURN_IF_ERROR(Push({.kind = Kind::kDict}));
  if (arguments.empty()) return absl::OkStatus();
  const int dict = stack_.back();
  if (arguments.size() > 1 || At(arguments[0]).kind != Kind::kList) {
    return Invalid("makes an OrderedDict of something that is no list");
  }
  const std::vector<int> pairs = At(arguments[0]).items;
  for (const int pair : pairs) {
    if (At(pair).items.size() != 2) return Invalid("has a key without a value");
    const std::vector<int> items = At(pair).items;
    GM_RETURN_IF_ERROR(Add(dict, items));
  }
  return absl::OkStatus();
}

// (storage, offset, sizes, strides, requires_grad, hooks [, metadata])
absl::Status PickleMachine::RebuildTensor(const std::vector<int>& arguments) {
  constexpr Kind kWanted[] = {Kind::kStorage, Kind::kInt, Kind::kTuple,
                              Kind::kTuple};
  bool fits = arguments.size() >= std::size(kWanted);
  for (size_t i = 0; fits && i < std::size(kWanted); ++i) {
    const PickleValue& argument = At(arguments[i]);
    fits = argument.kind == kWanted[i];
    if (argument.kind != Kind::kTuple) continue;
    fits &= argument.items.size() <= kMaxDimensions;
    for (const int item : argument.items) fits &= At(item).kind == Kind::kInt;
  }
  if (!fits) return Invalid("makes a tensor of something that is none");
  std::vector<int> items(arguments.begin(),
                         arguments.begin() + std::size(kWanted));
  return Push({.kind = Kind::kTensor, .items = std::move(items)});
}

// (tensor, requires_grad, hooks [, state])
absl::Status PickleMachine::RebuildParameter(
    const std::vector<int>& arguments) {
  if (arguments.empty() || At(arguments[0]).kind != Kind::kTensor) {
    return Invalid("makes a parameter of something that is no tensor");
  }
  return PushIndex(arguments[0]);
}

// ("storage", class, key, location, elements)
absl::Status PickleMachine::PersistentId() {
  constexpr Kind kWanted[] = {Kind::kText, Kind::kGlobal, Kind::kText,
                              Kind::kText, Kind::kInt};
  GM_ASSIGN_OR_RETURN(const int id, PopIndex());
  const std::vector<int>& parts = At(id).items;
  bool fits = parts.size() == std::size(kWanted);
  for (size_t i = 0; fits && i < parts.size(); ++i) {
    fits = At(parts[i]).kind == kWanted[i];
  }
  if (!fits || At(parts[0]).text != "storage") {
    return Invalid("refers to something outside that is no storage");
  }
  return Push({.kind = Kind::kStorage,
               .number = At(parts[4]).number,
               .items = {parts[1], parts[2]}});
}

std::string DescribePickleValue(const Pickle& pickle, int index) {
  const PickleValue& value = pickle.values[index];
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return "a truth value";
    case Kind::kInt:
    case Kind::kFloat:
      return "a number";
    case Kind::kText:
    case Kind::kBytes:
      return "a string";
    case Kind::kList:
      return "a list";
    case Kind::kTuple:
      return "a tuple";
    case Kind::kDict:
      return "a dictionary";
    case Kind::kStorage:
      return "a storage";
    case Kind::kTensor:
      return "a tensor";
    case Kind::kGlobal:
      return absl::StrCat("a ", QuoteForMessage(value.text));
    case Kind::kOpaque:
      if (value.items.empty()) return "an object";
      return absl::StrCat("a ",
                          QuoteForMessage(pickle.values[value.items[0]].text));
  }
  return "a value";
}

}  // namespace groupmamba
