#include "tests/model/golden_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "ATen/core/grad_mode.h"
#include "ATen/ops/from_blob.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "model/formula_weights.h"
#include "model/network_spec.h"
#include "model/safetensors.h"
#include "model/tensors.h"

namespace groupmamba {
namespace {

// What a file's name says.
struct GoldenName {
  std::string variant;
  int64_t height = 224;
  int64_t width = 224;
};

absl::StatusOr<GoldenName> ParseName(const std::string& path) {
  const std::string stem = std::filesystem::path(path).stem();
  const std::vector<std::string> parts = absl::StrSplit(stem, '_');
  GoldenName name = {.variant = parts[0]};
  if (parts.size() == 1) return name;
  const std::vector<std::string> size = absl::StrSplit(parts[1], 'x');
  if (parts.size() != 2 || size.size() != 2 ||
      !absl::SimpleAtoi(size[0], &name.height) ||
      !absl::SimpleAtoi(size[1], &name.width)) {
    return absl::InvalidArgumentError(
        absl::StrCat(stem, " is not <variant> or <variant>_<height>x<width>"));
  }
  return name;
}

template <typename T>
std::vector<T> ValuesOf(const TensorBytes& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(T));
  return values;
}

// NaN where a value is NaN or the sizes differ: no bound holds for it.
double LargestDifference(absl::Span<const float> left,
                         absl::Span<const float> right) {
  if (left.size() != right.size()) return std::nan("");
  double largest = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    const double difference = std::abs(double{left[i]} - double{right[i]});
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

std::vector<float> SampleOf(absl::Span<const float> values) {
  std::vector<float> sample;
  for (const int64_t index : GoldenSampleIndices(values.size())) {
    sample.push_back(values[index]);
  }
  return sample;
}

std::pair<double, double> MeanAndDeviation(absl::Span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += value;
  const double mean = sum / values.size();
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / values.size())};
}

class Comparison {
 public:
  Comparison(const SafetensorsFile& file, const GoldenTolerance& tolerance)
      : file_(file), tolerance_(tolerance) {}

  void CompareInput(const std::vector<float>& input) {
    const TensorBytes* sample = Find("input.sample");
    if (sample == nullptr) return;
    Bound("input.sample",
          LargestDifference(SampleOf(input), ValuesOf<float>(*sample)),
          tolerance_.input);
  }

  void CompareModule(absl::string_view name, const at::Tensor& output) {
    const TensorBytes* shape = Find(absl::StrCat(name, ".shape"));
    const TensorBytes* mean_std = Find(absl::StrCat(name, ".mean_std"));
    const TensorBytes* sample = Find(absl::StrCat(name, ".sample"));
    if (shape == nullptr || mean_std == nullptr || sample == nullptr) return;
    if (ValuesOf<int64_t>(*shape) != output.sizes().vec()) {
      report_.faults.push_back(absl::StrCat(
          name, " has shape [", absl::StrJoin(output.sizes(), ", "), "]"));
      return;
    }
    const at::Tensor rows = output.contiguous();
    const absl::Span<const float> values(rows.const_data_ptr<float>(),
                                         rows.numel());
    const std::vector<double> expected = ValuesOf<double>(*mean_std);
    const auto [mean, deviation] = MeanAndDeviation(values);
    const double moments = std::max(std::abs(mean - expected[0]),
                                    std::abs(deviation - expected[1]));
    Bound(absl::StrCat(name, ".mean_std"), moments, tolerance_.mean_std);
    report_.mean_std = std::max(report_.mean_std, moments);
    const double difference =
        LargestDifference(SampleOf(values), ValuesOf<float>(*sample));
    Bound(absl::StrCat(name, ".sample"), difference, tolerance_.sample);
    if (difference > report_.sample) {
      report_.sample = difference;
      report_.sample_module = std::string(name);
    }
    ++report_.modules;
  }

  void CompareLogits(const at::Tensor& logits) {
    const TensorBytes* expected = Find("logits");
    if (expected == nullptr) return;
    const at::Tensor rows = logits.contiguous();
    report_.logits = LargestDifference(
        {rows.const_data_ptr<float>(), static_cast<size_t>(rows.numel())},
        ValuesOf<float>(*expected));
    Bound("logits", report_.logits, tolerance_.logits);
  }

  // Whatever the file has and nobody asked for is a module that did not run.
  GoldenReport Finish() && {
    for (const auto& [name, tensor] : file_.tensors()) {
      if (!used_.contains(name)) {
        report_.faults.push_back(absl::StrCat(name, " was not computed"));
      }
    }
    return std::move(report_);
  }

 private:
  // Modules that a file does not hold are not compared.
  const TensorBytes* Find(const std::string& name) {
    const auto found = file_.tensors().find(name);
    if (found == file_.tensors().end()) return nullptr;
    used_.insert(name);
    return &found->second;
  }

  void Bound(absl::string_view name, double difference, double bound) {
    if (difference <= bound) return;
    report_.faults.push_back(
        absl::StrCat(name, " differs by ", difference, ", more than ", bound));
  }

  const SafetensorsFile& file_;
  const GoldenTolerance tolerance_;
  std::set<std::string> used_;
  GoldenReport report_;
};

}  // namespace

absl::StatusOr<GoldenLogits> ReadGoldenLogits(const std::string& path) {
  GM_ASSIGN_OR_RETURN(const GoldenName name, ParseName(path));
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Read(path));
  GoldenLogits golden;
  golden.height = name.height;
  golden.width = name.width;
  GM_ASSIGN_OR_RETURN(golden.config, PublishedVariant(name.variant));
  const auto seed = file.metadata().find("seed");
  const auto logits = file.tensors().find("logits");
  if (seed == file.metadata().end() ||
      !absl::SimpleAtoi(seed->second, &golden.seed) ||
      logits == file.tensors().end() || logits->second.shape.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " lacks its seed or its logits [batch, classes]"));
  }
  golden.batch = logits->second.shape[0];
  golden.logits = ValuesOf<float>(logits->second);
  return golden;
}

absl::StatusOr<GoldenReport> CompareWithGolden(
    const std::string& path, const BlockSpec& spec,
    const GoldenTolerance& tolerance) {
  GM_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Read(path));
  GM_ASSIGN_OR_RETURN(const GoldenLogits golden, ReadGoldenLogits(path));
  GM_ASSIGN_OR_RETURN(const auto values,
                      FormulaWeights(golden.config, golden.seed));
  GM_ASSIGN_OR_RETURN(const TensorMap tensors,
                      TensorsOf(golden.config, values));
  GM_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network,
                      CreateNetwork(golden.config, spec, tensors));
  network->FoldBatchNorms();

  std::vector<float> input =
      FormulaInput(golden.batch, golden.height, golden.width, golden.seed);
  Comparison comparison(file, tolerance);
  comparison.CompareInput(input);
  const at::NoGradGuard no_grad;
  const HeadLogits heads = network->Forward(
      at::from_blob(input.data(),
                    {golden.batch, 3, golden.height, golden.width}),
      {.trace = [&](absl::string_view module, const at::Tensor& output) {
        comparison.CompareModule(module, output);
      }});
  comparison.CompareLogits(heads.Mean());
  return std::move(comparison).Finish();
}

std::vector<std::string> ListGoldens(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace groupmamba
