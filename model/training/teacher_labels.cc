#include "model/training/teacher_labels.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/safetensors.h"
#include "model/sha256.h"

namespace groupmamba::training {
namespace {

constexpr char kHashKey[] = "pictures_sha256";

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// The bytes as numbers; they need not be aligned.
template <typename T>
std::vector<T> ValuesOf(const TensorBytes& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

// Of [pictures, classes]: the place of the highest in each row.
std::vector<int64_t> Highest(const std::vector<float>& logits,
                             int64_t classes) {
  std::vector<int64_t> labels;
  for (auto row = logits.begin(); row != logits.end(); row += classes) {
    labels.push_back(std::max_element(row, row + classes) - row);
  }
  return labels;
}

absl::StatusOr<std::vector<int64_t>> Answers(const SafetensorsFile& file,
                                             int64_t pictures, int classes,
                                             const std::string& path) {
  const auto labels = file.tensors().find("labels");
  const auto logits = file.tensors().find("logits");
  const bool has_labels = labels != file.tensors().end();
  if (!has_labels && logits == file.tensors().end()) {
    return Wrong(path, "holds neither `labels` nor `logits`");
  }
  const TensorBytes& tensor = has_labels ? labels->second : logits->second;
  std::vector<int64_t> shape = {pictures};
  if (!has_labels) shape.push_back(classes);
  if (tensor.shape != shape) {
    return Wrong(path, absl::StrCat("must hold answers for ", pictures,
                                    " pictures, in ", classes, " classes"));
  }
  if (has_labels && tensor.dtype == DType::kI64) {
    return ValuesOf<int64_t>(tensor);
  }
  if (has_labels && tensor.dtype == DType::kI32) {
    const std::vector<int32_t> values = ValuesOf<int32_t>(tensor);
    return std::vector<int64_t>(values.begin(), values.end());
  }
  if (!has_labels && tensor.dtype == DType::kF32 && AllFinite(tensor)) {
    return Highest(ValuesOf<float>(tensor), classes);
  }
  return Wrong(path, "`labels` must be I32 or I64, `logits` F32 and finite");
}

}  // namespace

std::string HashOfPictures(const PictureSource& pictures) {
  Sha256 hash;
  for (int64_t i = 0; i < pictures.count(); ++i) {
    const std::string line =
        absl::StrCat(pictures.name(i), " ", pictures.label(i), "\n");
    hash.Update({reinterpret_cast<const uint8_t*>(line.data()), line.size()});
  }
  return hash.HexDigest();
}

absl::StatusOr<std::vector<int32_t>> ReadTeacherLabels(
    const std::string& path, int64_t pictures, int classes,
    const std::string& hash) {
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Read(path));
  GM_ASSIGN_OR_RETURN(const std::vector<int64_t> answers,
                      Answers(file, pictures, classes, path));
  const auto theirs = file.metadata().find(kHashKey);
  if (theirs != file.metadata().end() && theirs->second != hash) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        ": the answers are of other pictures, or in another order; "
        "--write-teacher-labels writes them anew"));
  }
  std::vector<int32_t> labels;
  for (const int64_t answer : answers) {
    if (answer < 0 || answer >= classes) {
      return Wrong(path, absl::StrCat("an answer is class ", answer,
                                      "; there are ", classes));
    }
    labels.push_back(static_cast<int32_t>(answer));
  }
  return labels;
}

absl::Status WriteTeacherLabels(const std::string& path,
                                absl::Span<const int32_t> labels,
                                const std::string& hash) {
  const TensorBytes tensor = {
      .dtype = DType::kI32,
      .shape = {static_cast<int64_t>(labels.size())},
      .bytes = {reinterpret_cast<const uint8_t*>(labels.data()),
                labels.size() * sizeof(int32_t)}};
  return WriteSafetensors(path, {{"labels", tensor}}, {{kHashKey, hash}})
      .status();
}

}  // namespace groupmamba::training
