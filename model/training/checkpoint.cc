#include "model/training/checkpoint.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/safetensors.h"
#include "model/sha256.h"

namespace groupmamba::training {
namespace {

constexpr char kHashKey[] = "sha256";  // in the file's metadata

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<std::string> Entry(const SafetensorsFile& file,
                                  const std::string& path,
                                  const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    return Damaged(path, absl::StrCat("no ", key, "; not a checkpoint"));
  }
  return found->second;
}

absl::StatusOr<RunProgress> ReadProgress(const SafetensorsFile& file,
                                         const std::string& path) {
  RunProgress progress;
  GM_ASSIGN_OR_RETURN(const std::string steps, Entry(file, path, "steps"));
  GM_ASSIGN_OR_RETURN(const std::string loss_sum,
                      Entry(file, path, "loss_sum"));
  GM_ASSIGN_OR_RETURN(const std::string smoothed,
                      Entry(file, path, "smoothed_loss"));
  GM_ASSIGN_OR_RETURN(const std::string seconds, Entry(file, path, "seconds"));
  if (!absl::SimpleAtoi(steps, &progress.steps) || progress.steps < 0 ||
      !absl::SimpleAtod(loss_sum, &progress.loss_sum) ||
      !absl::SimpleAtod(smoothed, &progress.smoothed_loss) ||
      !absl::SimpleAtod(seconds, &progress.seconds)) {
    return Damaged(path, "its numbers cannot be read");
  }
  return progress;
}

absl::Status CheckTensors(const SafetensorsFile& file, const std::string& path,
                          const std::map<std::string, at::Tensor>& state) {
  if (file.tensors().size() != state.size()) {
    return Damaged(path, "other tensors than this run's");
  }
  for (const auto& [name, tensor] : state) {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.dtype != DType::kF32 ||
        found->second.shape != tensor.sizes().vec()) {
      return Damaged(path, absl::StrCat("no ", name, " of the right shape"));
    }
  }
  return absl::OkStatus();
}

std::string InFolder(const std::string& folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

// Those on the processor are not copied.
std::map<std::string, at::Tensor> OnProcessor(
    const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.cpu();
  return copies;
}

// Of a tensor on the processor.
absl::Span<const uint8_t> BytesOf(const at::Tensor& tensor) {
  return {reinterpret_cast<const uint8_t*>(tensor.const_data_ptr<float>()),
          static_cast<size_t>(tensor.nbytes())};
}

// Of all that a checkpoint says: tells a file that a bad disk has changed.
std::string HashOf(
    const std::map<std::string, std::string>& metadata,
    const std::map<std::string, absl::Span<const uint8_t>>& tensors) {
  Sha256 hash;
  for (const auto& [key, text] : metadata) {
    if (key == kHashKey) continue;
    hash.Update(absl::MakeConstSpan(
        reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  }
  for (const auto& [name, bytes] : tensors) {
    hash.Update(bytes);
  }
  return hash.HexDigest();
}

absl::Status CheckHash(const SafetensorsFile& file, const std::string& path) {
  GM_ASSIGN_OR_RETURN(const std::string expected, Entry(file, path, kHashKey));
  std::map<std::string, absl::Span<const uint8_t>> tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    tensors[name] = tensor.bytes;
  }
  return HashOf(file.metadata(), tensors) == expected
             ? absl::OkStatus()
             : Damaged(path, "its bytes are not those that were written");
}

absl::StatusOr<RunProgress> ReadOne(
    const std::string& path, const std::string& settings,
    const std::map<std::string, at::Tensor>& state) {
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Read(path));
  GM_ASSIGN_OR_RETURN(const std::string theirs, Entry(file, path, "settings"));
  if (theirs != settings) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": belongs to a run with other settings.\n  there: ", theirs,
        "\n  here:  ", settings));
  }
  GM_ASSIGN_OR_RETURN(const RunProgress progress, ReadProgress(file, path));
  GM_RETURN_IF_ERROR(CheckTensors(file, path, state));
  GM_RETURN_IF_ERROR(CheckHash(file, path));
  for (const auto& [name, tensor] : state) {
    const absl::Span<const uint8_t> bytes = file.tensors().at(name).bytes;
    at::Tensor read = tensor.cpu();  // on the processor itself
    std::memcpy(read.mutable_data_ptr<float>(), bytes.data(), bytes.size());
    tensor.copy_(read);
  }
  return progress;
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& folder,
                             const std::string& settings,
                             const RunProgress& progress,
                             const std::map<std::string, at::Tensor>& state) {
  std::map<std::string, std::string> metadata = {
      {"settings", settings},
      {"steps", absl::StrCat(progress.steps)},
      // 17 digits: the same double when read back.
      {"loss_sum", absl::StrFormat("%.17g", progress.loss_sum)},
      {"smoothed_loss", absl::StrFormat("%.17g", progress.smoothed_loss)},
      {"seconds", absl::StrFormat("%.17g", progress.seconds)}};
  const std::map<std::string, at::Tensor> copies = OnProcessor(state);
  std::map<std::string, absl::Span<const uint8_t>> tensors;
  for (const auto& [name, tensor] : copies) {
    tensors[name] = BytesOf(tensor);
  }
  metadata[kHashKey] = HashOf(metadata, tensors);
  const std::string path = InFolder(folder, kCheckpointFile);
  const std::string fresh = path + ".new";
  GM_RETURN_IF_ERROR(WriteTensors(fresh, copies, metadata).status());
  // Between the two there is no newest one, but the one before it is whole.
  if (std::rename(path.c_str(),
                  InFolder(folder, kPreviousCheckpointFile).c_str()) != 0 &&
      errno != ENOENT) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", path));
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", fresh));
  }
  return absl::OkStatus();
}

absl::StatusOr<RunProgress> ReadCheckpoint(
    const std::string& folder, const std::string& settings,
    const std::map<std::string, at::Tensor>& state, std::string* warning) {
  const absl::StatusOr<RunProgress> newest =
      ReadOne(InFolder(folder, kCheckpointFile), settings, state);
  if (newest.ok() || absl::IsFailedPrecondition(newest.status())) {
    return newest;
  }
  const absl::StatusOr<RunProgress> previous =
      ReadOne(InFolder(folder, kPreviousCheckpointFile), settings, state);
  if (previous.ok()) {
    *warning = absl::StrCat("the newest checkpoint cannot be used (",
                            newest.status().message(),
                            "); going on from the one before it");
    return previous;
  }
  if (absl::IsNotFound(newest.status())) {
    return previous.status();
  }
  return absl::Status(
      newest.status().code(),
      absl::StrCat(newest.status().message(),
                   "; the one before it cannot be used either. --restart "
                   "begins anew"));
}

void RemoveCheckpoints(const std::string& folder) {
  for (const char* name : {kCheckpointFile, kPreviousCheckpointFile}) {
    std::error_code ignored;  // what is not there need not go
    std::filesystem::remove(InFolder(folder, name), ignored);
  }
}

absl::StatusOr<std::string> WriteTensors(
    const std::string& path, const std::map<std::string, at::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  const std::map<std::string, at::Tensor> copies = OnProcessor(tensors);
  std::map<std::string, TensorBytes> bytes;
  for (const auto& [name, tensor] : copies) {
    bytes[name] = {.dtype = DType::kF32,
                   .shape = tensor.sizes().vec(),
                   .bytes = BytesOf(tensor)};
  }
  return WriteSafetensors(path, bytes, metadata);
}

}  // namespace groupmamba::training
