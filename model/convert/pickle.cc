#include "model/convert/pickle.h"

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/convert/pickle_machine.h"

namespace groupmamba {
namespace {

using Kind = PickleValue::Kind;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// The pickle's bytes, taken from the front.
class Program {
 public:
  explicit Program(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t position() const { return next_; }
  bool at_end() const { return next_ == bytes_.size(); }

  absl::StatusOr<absl::Span<const uint8_t>> Take(uint64_t count) {
    if (count > bytes_.size() - next_) return Invalid("is cut off");
    const auto bytes = bytes_.subspan(next_, count);
    next_ += count;
    return bytes;
  }

  template <typename T>
  absl::StatusOr<T> TakeNumber() {
    GM_ASSIGN_OR_RETURN(const auto bytes, Take(sizeof(T)));
    T number;
    std::memcpy(&number, bytes.data(), sizeof(T));
    return number;
  }

  // Bytes behind a number that says how many.
  template <typename Length>
  absl::StatusOr<absl::Span<const uint8_t>> TakeCounted() {
    GM_ASSIGN_OR_RETURN(const Length length, TakeNumber<Length>());
    return Take(length);
  }

  absl::StatusOr<std::string> TakeName() {
    std::string line;
    while (line.size() <= kMaxPickleName) {
      GM_ASSIGN_OR_RETURN(const char c, TakeNumber<char>());
      if (c == '\n') return line;
      line.push_back(c);
    }
    return Invalid("has a name of more than ", kMaxPickleName, " bytes");
  }

 private:
  const absl::Span<const uint8_t> bytes_;
  size_t next_ = 0;
};

absl::Status Protocol(Program* program, PickleMachine*) {
  GM_ASSIGN_OR_RETURN(const uint8_t version, program->TakeNumber<uint8_t>());
  if (version >= 2 && version <= 5) return absl::OkStatus();
  return Invalid("is of protocol ", version, "; 2 to 5 are read");
}

// How long the next part is, for readers of streams.
absl::Status Frame(Program* program, PickleMachine*) {
  return program->Take(8).status();
}

template <Kind kind, int number = 0>
absl::Status Constant(Program*, PickleMachine* machine) {
  return machine->Push({.kind = kind, .number = number});
}

template <typename T>
absl::Status Int(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const T number, program->TakeNumber<T>());
  return machine->Push({.kind = Kind::kInt, .number = number});
}

// Little-endian, two's complement. Longer ones than 64 bits are opaque: no
// shape holds one.
template <typename Length>
absl::Status Long(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const auto bytes, program->TakeCounted<Length>());
  if (bytes.size() > sizeof(int64_t)) {
    return machine->Push({.kind = Kind::kOpaque});
  }
  int64_t number = !bytes.empty() && bytes.back() >= 0x80 ? -1 : 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  return machine->Push({.kind = Kind::kInt, .number = number});
}

absl::Status Float(Program* program, PickleMachine* machine) {
  GM_RETURN_IF_ERROR(program->Take(8).status());
  return machine->Push({.kind = Kind::kFloat});
}

template <typename Length>
absl::Status Text(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const auto bytes, program->TakeCounted<Length>());
  return machine->Push(
      {.kind = Kind::kText, .text = std::string(bytes.begin(), bytes.end())});
}

template <typename Length>
absl::Status Bytes(Program* program, PickleMachine* machine) {
  GM_RETURN_IF_ERROR(program->TakeCounted<Length>().status());
  return machine->Push({.kind = Kind::kBytes});
}

template <int count>
absl::Status Tuple(Program*, PickleMachine* machine) {
  return machine->PushTuple(count);
}

template <Kind kind>
absl::Status FromMark(Program*, PickleMachine* machine) {
  return machine->PushFromMark(kind);
}

template <int count>
absl::Status Add(Program*, PickleMachine* machine) {
  return machine->AddFew(count);
}

absl::Status Pop(Program*, PickleMachine* machine) {
  return machine->PopIndex().status();
}

absl::Status PopMark(Program*, PickleMachine* machine) {
  return machine->PopToMark().status();
}

absl::Status Global(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const std::string module, program->TakeName());
  GM_ASSIGN_OR_RETURN(const std::string name, program->TakeName());
  return machine->PushGlobal(module, name);
}

template <typename Place>
absl::Status Put(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const Place place, program->TakeNumber<Place>());
  return machine->Remember(place);
}

template <typename Place>
absl::Status Get(Program* program, PickleMachine* machine) {
  GM_ASSIGN_OR_RETURN(const Place place, program->TakeNumber<Place>());
  return machine->Recall(place);
}

// An opcode without an argument in the program.
template <absl::Status (PickleMachine::*method)()>
absl::Status Plain(Program*, PickleMachine* machine) {
  return (machine->*method)();
}

struct Op {
  uint8_t code;
  absl::string_view name;
  absl::Status (*run)(Program* program, PickleMachine* machine);
};

// What is taken: protocols 2 to 5 without what only older ones write (numbers
// as text, INST), what asks for a registry (EXT) and what lies outside the
// stream (NEXT_BUFFER).
constexpr Op kOps[] = {
    {0x80, "PROTO", Protocol},
    {0x95, "FRAME", Frame},
    {'(', "MARK", Plain<&PickleMachine::Mark>},
    {'0', "POP", Pop},
    {'1', "POP_MARK", PopMark},
    {'2', "DUP", Plain<&PickleMachine::Duplicate>},
    {'N', "NONE", Constant<Kind::kNone>},
    {0x88, "NEWTRUE", Constant<Kind::kBool, 1>},
    {0x89, "NEWFALSE", Constant<Kind::kBool, 0>},
    {'J', "BININT", Int<int32_t>},
    {'K', "BININT1", Int<uint8_t>},
    {'M', "BININT2", Int<uint16_t>},
    {0x8a, "LONG1", Long<uint8_t>},
    {0x8b, "LONG4", Long<uint32_t>},
    {'G', "BINFLOAT", Float},
    {'X', "BINUNICODE", Text<uint32_t>},
    {0x8c, "SHORT_BINUNICODE", Text<uint8_t>},
    {0x8d, "BINUNICODE8", Text<uint64_t>},
    {'T', "BINSTRING", Bytes<uint32_t>},
    {'U', "SHORT_BINSTRING", Bytes<uint8_t>},
    {'B', "BINBYTES", Bytes<uint32_t>},
    {'C', "SHORT_BINBYTES", Bytes<uint8_t>},
    {0x8e, "BINBYTES8", Bytes<uint64_t>},
    {0x96, "BYTEARRAY8", Bytes<uint64_t>},
    {')', "EMPTY_TUPLE", Constant<Kind::kTuple>},
    {0x85, "TUPLE1", Tuple<1>},
    {0x86, "TUPLE2", Tuple<2>},
    {0x87, "TUPLE3", Tuple<3>},
    {'t', "TUPLE", FromMark<Kind::kTuple>},
    {']', "EMPTY_LIST", Constant<Kind::kList>},
    {'l', "LIST", FromMark<Kind::kList>},
    {'a', "APPEND", Add<1>},
    {'e', "APPENDS", Plain<&PickleMachine::AddFromMark>},
    {'}', "EMPTY_DICT", Constant<Kind::kDict>},
    {'d', "DICT", FromMark<Kind::kDict>},
    {'s', "SETITEM", Add<2>},
    {'u', "SETITEMS", Plain<&PickleMachine::AddFromMark>},
    {0x8f, "EMPTY_SET", Constant<Kind::kList>},
    {0x90, "ADDITEMS", Plain<&PickleMachine::AddFromMark>},
    {0x91, "FROZENSET", FromMark<Kind::kList>},
    {'c', "GLOBAL", Global},
    {0x93, "STACK_GLOBAL", Plain<&PickleMachine::StackGlobal>},
    {'q', "BINPUT", Put<uint8_t>},
    {'r', "LONG_BINPUT", Put<uint32_t>},
    {0x94, "MEMOIZE", Plain<&PickleMachine::RememberNext>},
    {'h', "BINGET", Get<uint8_t>},
    {'j', "LONG_BINGET", Get<uint32_t>},
    {'R', "REDUCE", Plain<&PickleMachine::Reduce>},
    {0x81, "NEWOBJ", Plain<&PickleMachine::NewObject>},
    {0x92, "NEWOBJ_EX", Plain<&PickleMachine::NewObjectEx>},
    {'b', "BUILD", Plain<&PickleMachine::Build>},
    {'Q', "BINPERSID", Plain<&PickleMachine::PersistentId>},
};

const Op* FindOp(uint8_t code) {
  for (const Op& op : kOps) {
    if (op.code == code) return &op;
  }
  return nullptr;
}

absl::Status RunOp(uint8_t code, Program* program, PickleMachine* machine) {
  const size_t at = program->position() - 1;
  const Op* const op = FindOp(code);
  if (op == nullptr) {
    return Invalid(absl::StrFormat(
        "has the opcode 0x%02x at byte %d, which no state dict needs", code,
        at));
  }
  const absl::Status status = op->run(program, machine);
  if (status.ok()) return status;
  return Invalid(status.message(), " (", op->name, " at byte ", at, ")");
}

absl::StatusOr<Pickle> Run(absl::Span<const uint8_t> bytes,
                           const PickleLimits& limits) {
  constexpr uint8_t kStop = '.';
  if (bytes.size() > limits.max_bytes) {
    return Invalid("has more than ", limits.max_bytes, " bytes");
  }
  Program program(bytes);
  PickleMachine machine(limits);
  for (size_t step = 0; step < limits.max_opcodes; ++step) {
    GM_ASSIGN_OR_RETURN(const uint8_t code, program.TakeNumber<uint8_t>());
    if (code != kStop) {
      GM_RETURN_IF_ERROR(RunOp(code, &program, &machine));
      continue;
    }
    if (!program.at_end()) return Invalid("has bytes behind its end");
    return machine.Finish();
  }
  return Invalid("has more than ", limits.max_opcodes, " opcodes");
}

}  // namespace

absl::StatusOr<Pickle> ReadPickle(absl::Span<const uint8_t> bytes,
                                  const PickleLimits& limits) {
  absl::StatusOr<Pickle> pickle = Run(bytes, limits);
  if (pickle.ok()) return pickle;
  return Invalid("the pickle ", pickle.status().message());
}

}  // namespace groupmamba
