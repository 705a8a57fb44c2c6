// The names under which the V2 protocol shows a served model. It has two, one
// for each kind of input, because V2's clients shape their requests by a
// model's metadata:
//
//   NAME          tensors of pixels, UINT8 [N, height, width, 3]
//   NAME+encoded  picture files, BYTES [N, 1]
//
// A folder's name cannot hold a '+', so that the two never clash.

#ifndef GROUPMAMBA_SERVER_V2_MODEL_VIEW_H_
#define GROUPMAMBA_SERVER_V2_MODEL_VIEW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/model_repository.h"
#include "server/served_model.h"

namespace groupmamba::v2 {

enum class InputKind { kPixels, kEncoded };

inline constexpr char kPixelsInput[] = "pixels";
inline constexpr char kEncodedInput[] = "encoded";
inline constexpr char kOutput[] = "probabilities";

struct ModelView {
  std::shared_ptr<ServedModel> model;  // never null in a view that was found
  InputKind kind = InputKind::kPixels;

  std::string name() const;
  std::string version() const;

  // Of its one input.
  const char* input_name() const;
  const char* datatype() const;

  // The shape of one picture: what follows the batch in a shape.
  std::vector<int64_t> dims() const;
};

// The model with one of its names; an empty name is the default model's.
// `version` is decimal; empty: the one that is served. Errors: kUnknownModel,
// kUnknownVersion, kModelNotNamed; kBadVersion, not a positive number.
absl::StatusOr<ModelView> FindView(const ModelRepository& models,
                                   absl::string_view name,
                                   absl::string_view version);

// Every name of every model.
std::vector<ModelView> AllViews(const ModelRepository& models);

}  // namespace groupmamba::v2

#endif  // GROUPMAMBA_SERVER_V2_MODEL_VIEW_H_
