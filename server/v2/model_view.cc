#include "server/v2/model_view.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "server/status_map.h"

namespace groupmamba::v2 {
namespace {

constexpr absl::string_view kEncodedSuffix = "+encoded";

absl::StatusOr<int64_t> ParseVersion(absl::string_view text) {
  if (text.empty()) return 0;
  int64_t version = 0;
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &version) || version == 0) {
    return Error(Reason::kBadVersion);
  }
  return version;
}

}  // namespace

std::string ModelView::name() const {
  return kind == InputKind::kEncoded
             ? absl::StrCat(model->folder().name, kEncodedSuffix)
             : model->folder().name;
}

std::string ModelView::version() const {
  return absl::StrCat(model->folder().version);
}

const char* ModelView::input_name() const {
  return kind == InputKind::kEncoded ? kEncodedInput : kPixelsInput;
}

const char* ModelView::datatype() const {
  return kind == InputKind::kEncoded ? "BYTES" : "UINT8";
}

std::vector<int64_t> ModelView::dims() const {
  if (kind == InputKind::kEncoded) return {1};
  const int64_t side = model->folder().config.input.crop;
  return {side, side, 3};
}

absl::StatusOr<ModelView> FindView(const ModelRepository& models,
                                   absl::string_view name,
                                   absl::string_view version) {
  ModelView view;
  if (absl::ConsumeSuffix(&name, kEncodedSuffix)) {
    view.kind = InputKind::kEncoded;
  }
  GM_ASSIGN_OR_RETURN(const int64_t number, ParseVersion(version));
  GM_ASSIGN_OR_RETURN(view.model, models.Find(name, number));
  return view;
}

std::vector<ModelView> AllViews(const ModelRepository& models) {
  std::vector<ModelView> views;
  for (const auto& model : models.models()) {
    for (InputKind kind : {InputKind::kPixels, InputKind::kEncoded}) {
      views.push_back({.model = model, .kind = kind});
    }
  }
  return views;
}

}  // namespace groupmamba::v2
