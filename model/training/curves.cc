#include "model/training/curves.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "model/file.h"
#include "model/training/run_log.h"
#include "nlohmann/json.hpp"
#include "page/page.h"

namespace groupmamba {

// From curves.js, by cmake/embed.cmake.
extern const char kCurvesJs[];

namespace training {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kPoints = 400;

enum class Fold { kMean, kLargest };

struct CurveSpec {
  const char* name;
  const char* event;
  const char* key;
  Fold fold;
};

constexpr CurveSpec kCurves[] = {
    {"loss", "step", "smoothed_loss", Fold::kMean},
    {"gradient_norm", "step", "gradient_norm", Fold::kLargest},
    {"learning_rate", "step", "learning_rate", Fold::kMean},
    {"images_per_s", "step", "images_per_s", Fold::kMean},
    {"top1", "epoch", "top1", Fold::kMean},
    {"student_top1", "epoch", "student_top1", Fold::kMean},
    {"train_top1", "epoch", "train_top1", Fold::kMean}};

// The line that says what the run is.
const Json* StartOf(const LoggedRun& run) {
  for (const Json& line : run.lines) {
    if (line.contains("settings")) return &line;
  }
  return nullptr;
}

int64_t StepsPerEpoch(const LoggedRun& run) {
  const Json& start = *StartOf(run);
  const int64_t batch = start["settings"].value("batch", int64_t{1});
  return std::max<int64_t>(1, start.value("train_pictures", batch) / batch);
}

struct Point {
  double epochs;
  double value;
};

std::vector<Point> PointsOf(const LoggedRun& run, const CurveSpec& spec) {
  std::vector<Point> points;
  const auto per_epoch = static_cast<double>(StepsPerEpoch(run));
  for (const Json& line : run.lines) {
    const auto value = line.find(spec.key);
    // What is not finite is null in JSON.
    if (line["event"] == spec.event && value != line.end() &&
        value->is_number()) {
      points.push_back(
          {line.value("step", 0.0) / per_epoch, value->get<double>()});
    }
  }
  return points;
}

// The curve at `at`, the middle of a part of the axis of that width.
std::optional<double> ValueAt(const std::vector<Point>& points, double at,
                              double width, Fold fold) {
  const auto by_epochs = [](const Point& point, double epochs) {
    return point.epochs < epochs;
  };
  const auto first =
      std::lower_bound(points.begin(), points.end(), at - width / 2, by_epochs);
  const auto last =
      std::lower_bound(first, points.end(), at + width / 2, by_epochs);
  if (first == last) {  // between two points, or outside the run
    if (first == points.begin() || first == points.end()) return std::nullopt;
    const Point& before = *(first - 1);
    const double share = (at - before.epochs) / (first->epochs - before.epochs);
    return before.value + share * (first->value - before.value);
  }
  double sum = 0, largest = first->value;
  for (auto point = first; point != last; ++point) {
    sum += point->value;
    largest = std::max(largest, point->value);
  }
  return fold == Fold::kLargest ? largest
                                : sum / static_cast<double>(last - first);
}

// The settings in which runs differ from each other.
std::set<std::string> DifferingSettings(absl::Span<const LoggedRun> runs) {
  std::set<std::string> differing;
  const Json& first = (*StartOf(runs[0]))["settings"];
  for (const LoggedRun& run : runs) {
    const Json& settings = (*StartOf(run))["settings"];
    for (const Json* one : {&first, &settings}) {
      for (const auto& [key, value] : one->items()) {
        if (first.value(key, Json()) != settings.value(key, Json())) {
          differing.insert(key);
        }
      }
    }
  }
  return differing;
}

Json DescribeRun(const LoggedRun& run, const std::set<std::string>& differing) {
  const Json& start = *StartOf(run);
  Json description = {{"name", run.name},
                      {"parameters", start.value("parameters", Json())},
                      {"settings", Json::object()}};
  for (const std::string& key : differing) {
    description["settings"][key] = start["settings"].value(key, Json());
  }
  double peak = 0;
  for (const Json& line : run.lines) {
    if (line["event"] == "step") {
      description["step"] = line["step"];
      description["loss"] = line.value("smoothed_loss", Json());
      if (line.contains("gradient_norm") && line["gradient_norm"].is_number()) {
        peak = std::max(peak, line["gradient_norm"].get<double>());
      }
    } else if (line["event"] == "epoch") {
      for (const char* key :
           {"top1", "student_top1", "train_top1", "seconds"}) {
        description[key] = line.value(key, Json());
      }
    }
  }
  description["gradient_norm_peak"] = peak;
  return description;
}

std::string InWords(const Json& page) {
  std::string text;
  for (const Json& run : page["runs"]) {
    absl::StrAppend(&text, run["name"].get<std::string>());
    for (const char* key : {"step", "loss", "gradient_norm_peak", "top1"}) {
      if (run.contains(key)) {
        absl::StrAppend(&text, "  ", key, " ", run[key].dump());
      }
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::vector<LoggedRun>> ReadRuns(
    absl::Span<const std::string> folders) {
  std::vector<LoggedRun> runs;
  for (const std::string& folder : folders) {
    const std::string path = absl::StrCat(folder, "/", kLogFile);
    LoggedRun run = {.name = folder, .lines = {}};
    GM_ASSIGN_OR_RETURN(run.lines, ReadRunLog(path));
    if (StartOf(run) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": no line says what run it is"));
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

Json CurvesJson(absl::Span<const LoggedRun> runs, int points) {
  double end = 0;
  int64_t most_steps = 0;
  for (const LoggedRun& run : runs) {
    const int64_t steps = run.lines.back().value("step", int64_t{0});
    most_steps = std::max(most_steps, steps);
    end = std::max(end, static_cast<double>(steps) /
                            static_cast<double>(StepsPerEpoch(run)));
  }
  const int64_t count = std::clamp<int64_t>(most_steps, 1, points);
  const double width = end / static_cast<double>(count);
  Json page = {{"epochs", Json::array()}, {"runs", Json::array()}};
  for (int64_t i = 0; i < count; ++i) {
    page["epochs"].push_back((static_cast<double>(i) + 1) * width);
  }
  const std::set<std::string> differing = DifferingSettings(runs);
  for (const LoggedRun& run : runs) {
    Json described = DescribeRun(run, differing);
    for (const CurveSpec& spec : kCurves) {
      const std::vector<Point> logged = PointsOf(run, spec);
      Json values = Json::array();
      for (const Json& at : page["epochs"]) {
        const std::optional<double> value =
            ValueAt(logged, at.get<double>(), width, spec.fold);
        values.push_back(value ? Json(*value) : Json());
      }
      described["curves"][spec.name] = std::move(values);
    }
    page["runs"].push_back(std::move(described));
  }
  return page;
}

absl::Status PlotRuns(absl::Span<const std::string> folders,
                      const std::string& html) {
  GM_ASSIGN_OR_RETURN(const std::vector<LoggedRun> runs, ReadRuns(folders));
  const Json page = CurvesJson(runs, kPoints);
  GM_RETURN_IF_ERROR(
      WriteFileAtomically(html, HtmlPage({.title = "Training curves",
                                          .json = page.dump(),
                                          .text = InWords(page),
                                          .script = kCurvesJs})));
  std::fprintf(stderr, "%s\n", html.c_str());
  return absl::OkStatus();
}

}  // namespace training
}  // namespace groupmamba
