// The tensors of a file that somebody else's training wrote. Torch-free.

#ifndef GROUPMAMBA_MODEL_CONVERT_CHECKPOINT_H_
#define GROUPMAMBA_MODEL_CONVERT_CHECKPOINT_H_

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/safetensors.h"

namespace groupmamba {

// Owns what its tensors point to; movable.
struct Checkpoint {
  std::map<std::string, TensorBytes> tensors;

  // Under which key of the file they were; empty: the file is nothing else.
  std::string state;

  // Classes and functions that the file's pickle names and that were passed
  // over: of a configuration, an optimizer, ... or of an attack.
  std::set<std::string> passed_over;

  // What the tensors point into.
  std::vector<uint8_t> file;
  std::optional<SafetensorsFile> safetensors;
  std::list<std::vector<uint8_t>> copies;  // of tensors that lie scattered
};

// Reads a checkpoint: what torch.save writes since PyTorch 1.6, a zip archive
// (stored_zip.h) whose data.pkl (pickle.h) describes the tensors; or a
// safetensors file. In a zip archive the tensors are a dictionary of names: the
// whole file's, or the value of `state`; empty: of the first of model_ema,
// state_dict_ema, model and state_dict that is there. Every file is read whole,
// up to 4 GiB, and a tensor takes as many bytes as its storage at most.
// Errors: NOT_FOUND; INVALID_ARGUMENT with the file's path and what is wrong.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path,
                                          absl::string_view state);

// The same from bytes, without a path in the message; what fuzzers call.
absl::StatusOr<Checkpoint> ParseCheckpoint(std::vector<uint8_t> file,
                                           absl::string_view state);

}  // namespace groupmamba

#endif  // GROUPMAMBA_MODEL_CONVERT_CHECKPOINT_H_
