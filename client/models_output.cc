#include "client/models_output.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/text.h"

namespace groupmamba::client {
namespace {

using Row = std::vector<std::string>;

// MODEL_STATE_READY -> "ready"; a state of a newer server by its number.
std::string StateName(v1::ModelState state) {
  const std::string& name = v1::ModelState_Name(state);
  if (name.empty()) return absl::StrCat("state ", static_cast<int>(state));
  return absl::AsciiStrToLower(absl::StripPrefix(name, "MODEL_STATE_"));
}

std::string InputSize(const v1::ModelInfo& model) {
  return absl::StrCat(model.input_height(), " x ", model.input_width());
}

// Columns as wide as their widest cell, two spaces apart.
std::string AlignedTable(const std::vector<Row>& rows) {
  std::vector<int> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, PadRight(row[i], widths[i] + 2));
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return text;
}

}  // namespace

Json ModelJson(const v1::ModelInfo& model) {
  Json json;
  json["name"] = model.name();
  json["version"] = model.version();
  json["state"] = StateName(model.state());
  json["classes"] = model.classes();
  json["input_height"] = model.input_height();
  json["input_width"] = model.input_width();
  json["resize"] = model.resize();
  json["precision"] = model.precision();
  json["device"] = model.device();
  json["parameters"] = model.parameters();
  return json;
}

std::string ModelsTable(const v1::ListModelsResponse& response) {
  if (response.models().empty()) return "The server has no models.\n";
  std::vector<Row> rows = {{"MODEL", "VERSION", "STATE", "CLASSES", "INPUT",
                            "PARAMETERS", "PRECISION", "DEVICE"}};
  for (const v1::ModelInfo& model : response.models()) {
    rows.push_back({Printable(model.name()), absl::StrCat(model.version()),
                    StateName(model.state()), WithThousands(model.classes()),
                    InputSize(model), WithThousands(model.parameters()),
                    Printable(model.precision()), Printable(model.device())});
  }
  return AlignedTable(rows);
}

std::string MetadataText(const v1::GetModelResponse& response) {
  const v1::ModelInfo& model = response.model();
  std::string labels = WithThousands(response.labels_size());
  constexpr int kShown = 4;
  for (int i = 0; i < std::min(kShown, response.labels_size()); ++i) {
    absl::StrAppend(&labels, i == 0 ? ": " : ", ",
                    Printable(response.labels(i)));
  }
  if (response.labels_size() > kShown) absl::StrAppend(&labels, ", ...");
  return AlignedTable({
      {"model", Printable(model.name())},
      {"version", absl::StrCat(model.version())},
      {"state", StateName(model.state())},
      {"input", absl::StrCat(InputSize(model),
                             " pixels (height x width), cut from the middle "
                             "after the short side is resized to ",
                             model.resize())},
      {"labels", labels},
      {"parameters", WithThousands(model.parameters())},
      {"precision", Printable(model.precision())},
      {"device", Printable(model.device())},
  });
}

}  // namespace groupmamba::client
