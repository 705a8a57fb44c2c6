#include "model/config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/substitute.h"
#include "base/status_macros.h"
#include "model/strict_json.h"

namespace groupmamba {
namespace {

using Json = nlohmann::json;

constexpr JsonLimits kConfigLimits = {
    .max_bytes = 1 << 20, .max_depth = 8, .max_values = 10'000};
constexpr int kMinSide = 32;  // the stem and three stages divide by 32
constexpr int kMaxSide = 2048;
constexpr size_t kMaxPlainName = 64;
constexpr absl::string_view kWeightsSuffix = ".safetensors";

template <typename T>
struct Named {
  absl::string_view name;
  T value;
};
constexpr Named<BlockForm> kBlockForms[] = {{"released", BlockForm::kReleased},
                                            {"paper", BlockForm::kPaper}};
constexpr Named<Interpolation> kInterpolations[] = {
    {"bilinear", Interpolation::kBilinear},
    {"bicubic", Interpolation::kBicubic}};

// Takes values out of one JSON object by key. The first problem, in whatever
// reader, stays in `problem`; values read after it mean nothing.
class ObjectReader {
 public:
  // `prefix` leads to this object: "" or "input.". Both pointers outlive the
  // reader.
  ObjectReader(const Json* object, std::string prefix, absl::Status* problem)
      : object_(object), prefix_(std::move(prefix)), problem_(problem) {}

  ObjectReader Object(const std::string& key) {
    static const Json empty = Json::object();
    const Json& value = Find(key);
    if (!value.is_object()) Fail(key, "must be an object");
    return ObjectReader(value.is_object() ? &value : &empty,
                        absl::StrCat(prefix_, key, "."), problem_);
  }

  int Int(const std::string& key, int min, int max, int multiple_of = 1) {
    return IntOf(key, Find(key), min, max, multiple_of);
  }

  std::array<int, kStages> IntPerStage(const std::string& key, int min, int max,
                                       int multiple_of = 1) {
    std::array<int, kStages> result = {};
    const Json& values = ArrayOf(key, result.size());
    for (size_t i = 0; i < values.size(); ++i) {
      result[i] = IntOf(key, values[i], min, max, multiple_of);
    }
    return result;
  }

  std::array<float, 3> FloatPerChannel(const std::string& key, double min,
                                       double max) {
    std::array<float, 3> result = {};
    const Json& values = ArrayOf(key, result.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const double value =
          values[i].is_number() ? values[i].get<double>() : max + 1;
      if (value < min || value > max) {
        Fail(key, absl::StrCat("must hold numbers from ", min, " to ", max));
        continue;
      }
      result[i] = static_cast<float>(value);
    }
    return result;
  }

  std::string String(const std::string& key) {
    const Json& value = Find(key);
    if (value.is_string()) return value.get<std::string>();
    Fail(key, "must be a string");
    return "";
  }

  std::string PlainName(const std::string& key, absl::string_view suffix) {
    std::string name = String(key);
    if (!IsPlainName(name) || !absl::EndsWith(name, suffix)) {
      Fail(key, absl::StrCat("must be the plain name of a file",
                             suffix.empty() ? "" : " ending in ", suffix));
    }
    return name;
  }

  template <typename T, size_t n>
  T OneOf(const std::string& key, const Named<T> (&choices)[n]) {
    const std::string name = String(key);
    for (const Named<T>& choice : choices) {
      if (choice.name == name) return choice.value;
    }
    Fail(key, absl::StrCat("must be one of: ",
                           absl::StrJoin(choices, ", ",
                                         [](std::string* out, const auto& c) {
                                           absl::StrAppend(out, c.name);
                                         })));
    return choices[0].value;
  }

  void Fail(const std::string& key, absl::string_view what) {
    if (!problem_->ok()) return;
    *problem_ = absl::InvalidArgumentError(absl::StrCat(
        "key ", QuoteForMessage(absl::StrCat(prefix_, key)), " ", what));
  }

  // Last: every key that nobody asked for is an error.
  void RejectOtherKeys() {
    for (const auto& [key, value] : object_->items()) {
      if (!asked_.contains(key)) Fail(key, "is unknown");
    }
  }

 private:
  // The value, or null (the JSON one) when the key is missing.
  const Json& Find(const std::string& key) {
    static const Json missing;
    asked_.insert(key);
    const auto found = object_->find(key);
    if (found != object_->end()) return *found;
    Fail(key, "is missing");
    return missing;
  }

  const Json& ArrayOf(const std::string& key, size_t size) {
    static const Json empty = Json::array();
    const Json& values = Find(key);
    if (values.is_array() && values.size() == size) return values;
    Fail(key, absl::StrCat("must be a list of ", size, " numbers"));
    return empty;
  }

  int IntOf(const std::string& key, const Json& value, int min, int max,
            int multiple_of) {
    if (value.is_number_unsigned()) {
      const uint64_t number = value.get<uint64_t>();
      if (number >= static_cast<uint64_t>(min) &&
          number <= static_cast<uint64_t>(max) && number % multiple_of == 0) {
        return static_cast<int>(number);
      }
    }
    Fail(key, absl::StrCat("must be whole, from ", min, " to ", max,
                           multiple_of == 1 ? ""
                                            : absl::StrCat(", a multiple of ",
                                                           multiple_of)));
    return min;
  }

  const Json* object_;
  std::string prefix_;
  absl::Status* problem_;
  std::set<std::string> asked_;
};

InputConfig ReadInput(ObjectReader reader) {
  InputConfig input;
  input.resize = reader.Int("resize", kMinSide, kMaxSide);
  input.crop = reader.Int("crop", kMinSide, kMaxSide);
  if (input.crop > input.resize) {
    reader.Fail("crop", "must not be larger than input.resize");
  }
  input.interpolation = reader.OneOf("interpolation", kInterpolations);
  input.mean = reader.FloatPerChannel("mean", -1000, 1000);
  input.std = reader.FloatPerChannel("std", 0.001, 1000);
  reader.RejectOtherKeys();
  return input;
}

void ReadWeightsKeys(ObjectReader reader, ModelConfig* config) {
  config->weights_file = reader.PlainName("file", kWeightsSuffix);
  config->weights_sha256 = reader.String("sha256");
  const auto is_digit = [](char c) {
    return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
  };
  if (config->weights_sha256.size() != 64 ||
      !absl::c_all_of(config->weights_sha256, is_digit)) {
    reader.Fail("sha256", "must be 64 lower-case hexadecimal digits");
  }
  reader.RejectOtherKeys();
}

template <typename T, size_t n>
std::string NameOf(T value, const Named<T> (&choices)[n]) {
  for (const Named<T>& choice : choices) {
    if (choice.value == value) return Json(choice.name).dump();
  }
  return "null";
}

std::string FormatList(const std::array<int, kStages>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

// The shortest decimals that read back as the same floats.
std::string FormatList(const std::array<float, 3>& values) {
  using FloatJson = nlohmann::basic_json<std::map, std::vector, std::string,
                                         bool, int64_t, uint64_t, float>;
  return absl::StrCat("[",
                      absl::StrJoin(values, ", ",
                                    [](std::string* out, float value) {
                                      *out += FloatJson(value).dump();
                                    }),
                      "]");
}

}  // namespace

bool IsPlainName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxPlainName && name[0] != '.' &&
         absl::c_all_of(name, [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json) {
  GM_ASSIGN_OR_RETURN(const Json document,
                      ParseJsonObject(json, kConfigLimits));
  absl::Status problem;
  ObjectReader root(&document, "", &problem);
  constexpr Named<bool> kArchitectures[] = {{"groupmamba", true}};
  root.OneOf("architecture", kArchitectures);
  ModelConfig config;
  config.block = root.OneOf("block", kBlockForms);
  config.stem_width = root.Int("stem_width", 1, 4096);
  config.widths = root.IntPerStage("widths", kGroups, 4096, kGroups);
  config.depths = root.IntPerStage("depths", 1, 64);
  config.mlp_ratios = root.IntPerStage("mlp_ratios", 1, 16);
  config.classes = root.Int("classes", 1, 1'000'000);
  config.input = ReadInput(root.Object("input"));
  config.labels_file = root.PlainName("labels", "");
  ReadWeightsKeys(root.Object("weights"), &config);
  root.RejectOtherKeys();
  GM_RETURN_IF_ERROR(problem);
  return config;
}

std::string FormatModelConfig(const ModelConfig& config) {
  const std::string input = absl::Substitute(
      R"({
    "resize": $0,
    "crop": $1,
    "interpolation": $2,
    "mean": $3,
    "std": $4
  })",
      config.input.resize, config.input.crop,
      NameOf(config.input.interpolation, kInterpolations),
      FormatList(config.input.mean), FormatList(config.input.std));
  const std::string weights = absl::Substitute(
      R"({
    "file": $0,
    "sha256": $1
  })",
      Json(config.weights_file).dump(), Json(config.weights_sha256).dump());
  return absl::Substitute(
      R"({
  "architecture": "groupmamba",
  "block": $0,
  "stem_width": $1,
  "widths": $2,
  "depths": $3,
  "mlp_ratios": $4,
  "classes": $5,
  "input": $6,
  "labels": $7,
  "weights": $8
}
)",
      NameOf(config.block, kBlockForms), config.stem_width,
      FormatList(config.widths), FormatList(config.depths),
      FormatList(config.mlp_ratios), config.classes, input,
      Json(config.labels_file).dump(), weights);
}

absl::StatusOr<ModelConfig> PublishedVariant(absl::string_view name) {
  ModelConfig config;
  if (name == "tiny") {
    config.stem_width = 32;
    config.widths = {64, 128, 348, 448};
    config.depths = {3, 4, 9, 3};
  } else if (name == "small") {
    config.stem_width = 64;
    config.widths = {64, 128, 348, 512};
    config.depths = {3, 4, 16, 3};
  } else if (name == "base") {
    config.stem_width = 64;
    config.widths = {96, 192, 424, 512};
    config.depths = {3, 6, 21, 3};
  } else {
    return absl::NotFoundError("the published variants are tiny, small, base");
  }
  config.mlp_ratios = {8, 8, 4, 4};
  config.classes = 1000;
  config.input = {.resize = 256,
                  .crop = 224,
                  .interpolation = Interpolation::kBicubic,
                  .mean = {0.485f, 0.456f, 0.406f},
                  .std = {0.229f, 0.224f, 0.225f}};
  config.labels_file = "labels.txt";
  config.weights_file = "model.safetensors";
  return config;
}

}  // namespace groupmamba
