#include "model/convert/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "model/convert/pickle.h"
#include "model/convert/stored_zip.h"
#include "model/file.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Kind = PickleValue::Kind;
using Bytes = absl::Span<const uint8_t>;

constexpr int64_t kMaxFileBytes = int64_t{4} << 30;
constexpr size_t kMaxDimensions = 8;
constexpr absl::string_view kPickleName = "/data.pkl";

// Where trainings put the weights, the averaged ones first.
constexpr absl::string_view kStates[] = {"model_ema", "state_dict_ema", "model",
                                         "state_dict"};

struct StorageType {
  absl::string_view name;
  DType dtype;
};
constexpr StorageType kStorageTypes[] = {
    {"torch.FloatStorage", DType::kF32},
    {"torch.DoubleStorage", DType::kF64},
    {"torch.HalfStorage", DType::kF16},
    {"torch.BFloat16Storage", DType::kBF16},
    {"torch.LongStorage", DType::kI64},
    {"torch.IntStorage", DType::kI32},
    {"torch.CharStorage", DType::kI8},
    {"torch.ByteStorage", DType::kU8},
    {"torch.BoolStorage", DType::kBool}};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Reads tensors of one archive into a checkpoint.
class TensorReader {
 public:
  TensorReader(const Pickle* pickle, const ZipEntries* entries,
               std::string folder, Checkpoint* checkpoint)
      : pickle_(pickle),
        entries_(entries),
        folder_(std::move(folder)),
        checkpoint_(checkpoint) {}

  absl::StatusOr<TensorBytes> Read(const PickleValue& tensor);

 private:
  struct Storage {
    DType dtype = DType::kF32;
    int64_t elements = 0;
    Bytes bytes;
  };

  const PickleValue& At(int index) const { return pickle_->values[index]; }
  std::vector<int64_t> Numbers(const PickleValue& tuple) const;
  absl::StatusOr<Storage> Find(const PickleValue& storage) const;
  Bytes Gather(const Storage& storage, int64_t offset,
               const std::vector<int64_t>& sizes,
               const std::vector<int64_t>& strides, int64_t elements);

  const Pickle* const pickle_;
  const ZipEntries* const entries_;
  const std::string folder_;  // in the archive
  Checkpoint* const checkpoint_;
  int64_t total_bytes_ = 0;
};

std::vector<int64_t> TensorReader::Numbers(const PickleValue& tuple) const {
  std::vector<int64_t> numbers;
  for (const int item : tuple.items) numbers.push_back(At(item).number);
  return numbers;
}

absl::StatusOr<TensorReader::Storage> TensorReader::Find(
    const PickleValue& storage) const {
  const std::string& type = At(storage.items[0]).text;
  const std::string& key = At(storage.items[1]).text;
  const auto* known = std::find_if(
      std::begin(kStorageTypes), std::end(kStorageTypes),
      [&](const auto& candidate) { return candidate.name == type; });
  if (known == std::end(kStorageTypes)) {
    return Invalid("has elements of an unknown type, ", QuoteForMessage(type));
  }
  const auto entry = entries_->find(absl::StrCat(folder_, "/data/", key));
  if (entry == entries_->end()) {
    return Invalid("has a storage that is not in the file, ",
                   QuoteForMessage(key));
  }
  const int64_t size = DTypeSize(known->dtype);
  const auto bytes = static_cast<int64_t>(entry->second.size());
  if (bytes % size != 0 || bytes / size != storage.number) {
    return Invalid("has a storage of ", bytes, " bytes that says it has ",
                   storage.number, " elements of ", size);
  }
  return Storage{known->dtype, storage.number, entry->second};
}

// The number of elements, if all of them lie within a storage of so many.
absl::StatusOr<int64_t> CheckPlace(int64_t offset,
                                   const std::vector<int64_t>& sizes,
                                   const std::vector<int64_t>& strides,
                                   int64_t storage_elements) {
  if (sizes.size() != strides.size() || sizes.size() > kMaxDimensions) {
    return Invalid("has more than ", kMaxDimensions,
                   " dimensions, or not a stride for each");
  }
  int64_t elements = 1;
  int64_t last = offset;
  bool overflow = offset < 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1) return Invalid("has no elements");
    if (strides[i] < 0) return Invalid("has a negative stride");
    int64_t reach = 0;
    overflow |= __builtin_mul_overflow(elements, sizes[i], &elements);
    overflow |= __builtin_mul_overflow(sizes[i] - 1, strides[i], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  if (overflow || last >= storage_elements) {
    return Invalid("reaches outside its storage");
  }
  if (elements > storage_elements) {
    return Invalid("uses elements of its storage more than once");
  }
  return elements;
}

bool IsDense(const std::vector<int64_t>& sizes,
             const std::vector<int64_t>& strides) {
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && strides[i] != step) return false;
    step *= sizes[i];
  }
  return true;
}

Bytes TensorReader::Gather(const Storage& storage, int64_t offset,
                           const std::vector<int64_t>& sizes,
                           const std::vector<int64_t>& strides,
                           int64_t elements) {
  const int64_t size = DTypeSize(storage.dtype);
  std::vector<uint8_t>& copy =
      checkpoint_->copies.emplace_back(elements * size);
  std::vector<int64_t> position(sizes.size());
  int64_t from = offset;
  for (int64_t i = 0; i < elements; ++i) {
    std::memcpy(copy.data() + i * size, storage.bytes.data() + from * size,
                size);
    for (size_t d = sizes.size(); d-- > 0;) {
      from += strides[d];
      if (++position[d] < sizes[d]) break;
      from -= strides[d] * sizes[d];
      position[d] = 0;
    }
  }
  return copy;
}

absl::StatusOr<TensorBytes> TensorReader::Read(const PickleValue& tensor) {
  GM_ASSIGN_OR_RETURN(const Storage storage, Find(At(tensor.items[0])));
  const int64_t offset = At(tensor.items[1]).number;
  std::vector<int64_t> sizes = Numbers(At(tensor.items[2]));
  std::vector<int64_t> strides = Numbers(At(tensor.items[3]));
  GM_ASSIGN_OR_RETURN(const int64_t elements,
                      CheckPlace(offset, sizes, strides, storage.elements));
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 1) strides[i] = 0;  // never taken, of any size
  }
  const int64_t size = DTypeSize(storage.dtype);
  total_bytes_ += elements * size;
  if (total_bytes_ > kMaxFileBytes) {
    return Invalid("brings the tensors to more than ", kMaxFileBytes, " bytes");
  }
  const Bytes bytes =
      IsDense(sizes, strides)
          ? storage.bytes.subspan(offset * size, elements * size)
          : Gather(storage, offset, sizes, strides, elements);
  return TensorBytes{storage.dtype, std::move(sizes), bytes};
}

// The value of a dictionary's key; -1: there is none.
int Lookup(const Pickle& pickle, const PickleValue& dict,
           absl::string_view key) {
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& candidate = pickle.values[dict.items[i]];
    if (candidate.kind == Kind::kText && candidate.text == key) {
      return dict.items[i + 1];
    }
  }
  return -1;
}

bool HasTensors(const Pickle& pickle, int index) {
  const PickleValue& dict = pickle.values[index];
  if (dict.kind != Kind::kDict) return false;
  for (size_t i = 1; i < dict.items.size(); i += 2) {
    if (pickle.values[dict.items[i]].kind == Kind::kTensor) return true;
  }
  return false;
}

// The dictionary of tensors that is meant; sets `state` to its key.
absl::StatusOr<int> FindState(const Pickle& pickle, absl::string_view wanted,
                              std::string* state) {
  const PickleValue& root = pickle.values[pickle.root];
  if (root.kind != Kind::kDict) {
    return Invalid("the file holds ", DescribePickleValue(pickle, pickle.root),
                   ", not a dictionary of tensors; save model.state_dict()");
  }
  if (wanted.empty() && HasTensors(pickle, pickle.root)) return pickle.root;
  for (const absl::string_view key : kStates) {
    const absl::string_view tried = wanted.empty() ? key : wanted;
    const int value = Lookup(pickle, root, tried);
    if (value < 0 || !HasTensors(pickle, value)) continue;
    *state = std::string(tried);
    return value;
  }
  if (!wanted.empty()) {
    return Invalid("the file has no tensors under ", QuoteForMessage(wanted));
  }
  return Invalid(
      "the file has no tensors at its top, nor under model_ema, "
      "state_dict_ema, model or state_dict; name their key with --state");
}

absl::Status ReadTensors(const Pickle& pickle, const PickleValue& dict,
                         TensorReader* reader, Checkpoint* checkpoint) {
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& name = pickle.values[dict.items[i]];
    if (name.kind != Kind::kText || !IsUtf8(name.text)) {
      return Invalid("a tensor's name is not a text");
    }
    const PickleValue& value = pickle.values[dict.items[i + 1]];
    if (value.kind != Kind::kTensor) {
      return Invalid(QuoteForMessage(name.text), " is ",
                     DescribePickleValue(pickle, dict.items[i + 1]),
                     ", not a tensor");
    }
    absl::StatusOr<TensorBytes> tensor = reader->Read(value);
    if (!tensor.ok()) {
      return Invalid("tensor ", QuoteForMessage(name.text), " ",
                     tensor.status().message());
    }
    if (!checkpoint->tensors.emplace(name.text, *std::move(tensor)).second) {
      return Invalid("tensor ", QuoteForMessage(name.text), " is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status ParseArchive(absl::string_view state, Checkpoint* checkpoint) {
  GM_ASSIGN_OR_RETURN(const ZipEntries entries,
                      ReadStoredZip(checkpoint->file));
  const auto program =
      std::find_if(entries.begin(), entries.end(), [](const auto& entry) {
        return absl::EndsWith(entry.first, kPickleName);
      });
  if (program == entries.end()) {
    return Invalid("the zip archive is no checkpoint: no data.pkl is in it");
  }
  const std::string folder =
      program->first.substr(0, program->first.size() - kPickleName.size());
  if (entries.contains(folder + "/constants.pkl")) {
    return Invalid(
        "the file is a TorchScript program; save state_dict() of it");
  }
  const auto order = entries.find(folder + "/byteorder");
  if (order != entries.end() &&
      std::string(order->second.begin(), order->second.end()) != "little") {
    return Invalid("the file was written on a machine of another byte order");
  }
  GM_ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(program->second));
  checkpoint->passed_over = pickle.opaque;
  GM_ASSIGN_OR_RETURN(const int dict,
                      FindState(pickle, state, &checkpoint->state));
  TensorReader reader(&pickle, &entries, folder, checkpoint);
  return ReadTensors(pickle, pickle.values[dict], &reader, checkpoint);
}

bool BeginsWith(Bytes file, absl::string_view text) {
  return file.size() >= text.size() &&
         std::equal(
             text.begin(), text.end(), file.begin(),
             [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

}  // namespace

absl::StatusOr<Checkpoint> ParseCheckpoint(std::vector<uint8_t> file,
                                           absl::string_view state) {
  Checkpoint checkpoint;
  if (BeginsWith(file, "PK\x03\x04")) {
    checkpoint.file = std::move(file);
    GM_RETURN_IF_ERROR(ParseArchive(state, &checkpoint));
    return checkpoint;
  }
  if (BeginsWith(file, "\x80\x02")) {
    return Invalid(
        "the file is of PyTorch before 1.6; load it with a newer one and save "
        "it again");
  }
  GM_ASSIGN_OR_RETURN(checkpoint.safetensors,
                      SafetensorsFile::Parse(std::move(file)));
  checkpoint.tensors = checkpoint.safetensors->tensors();
  return checkpoint;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path,
                                          absl::string_view state) {
  GM_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                      ReadRegularFile(path, kMaxFileBytes));
  absl::StatusOr<Checkpoint> checkpoint =
      ParseCheckpoint(std::move(bytes), state);
  if (!checkpoint.ok()) return InFile(path, checkpoint.status());
  return checkpoint;
}

}  // namespace groupmamba
